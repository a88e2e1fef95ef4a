package foreign

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	capabilitiesExchange = 257
	deviceWatchdog       = 280
	disconnectPeer       = 282

	patience = 20 * time.Second
)

// Peer is the node. Its fields are set before it connects.
type Peer struct {
	T            testing.TB
	Host, Realm  string
	Capabilities []AVP // of CER and CEA beside identity and product: the applications
	// Answer serves a request that is not of the base protocol. What it returns is sent; nil is silence. It is called by one
	// goroutine for each connection.
	Answer func(c *Conn, q *Message) *Message

	deaf atomic.Bool

	mu   sync.Mutex
	all  []*Conn
	came []Message
	news chan struct{} // closed, and made anew, when something came
}

// Applications returns the capabilities of a node with these Auth-Application-Ids.
func Applications(ids ...uint32) (avps []AVP) {
	for _, id := range ids {
		avps = append(avps, Number(AuthApplication, 0, id))
	}

	return avps
}

// Conn is one connection of the peer, after the capabilities exchange.
type Conn struct {
	Peer *Peer
	conn net.Conn
	ids  atomic.Uint32

	mu      sync.Mutex // of the writes
	answers chan Message
	ended   chan struct{}
}

// Deaf makes the peer read and say nothing, not even to the watchdog, or hear again.
func (p *Peer) Deaf(deaf bool) { p.deaf.Store(deaf) }

// Listen takes connections; the port is the system's choice if the address has 0.
func (p *Peer) Listen(address string) string {
	p.T.Helper()

	l, err := net.Listen("tcp", address)
	if err != nil {
		p.T.Fatal(err)
	}

	var group sync.WaitGroup

	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}

			group.Go(func() { p.connection(conn).serve() })
		}
	})
	p.T.Cleanup(func() {
		l.Close()
		p.Close()
		group.Wait()
	})

	return l.Addr().String()
}

// Dial connects, and says CER; the CEA is returned with the connection, whatever it says.
func (p *Peer) Dial(address string) (*Conn, *Message) {
	p.T.Helper()

	return p.DialFrom("127.0.0.1", address)
}

// DialFrom is Dial from an address of this machine.
func (p *Peer) DialFrom(local, address string) (*Conn, *Message) {
	p.T.Helper()

	return p.Open(p.connect(local, address))
}

// Silent connects and never says a word.
func (p *Peer) Silent(local, address string) {
	p.T.Helper()

	conn := p.connect(local, address)
	p.T.Cleanup(func() { conn.Close() })
}

func (p *Peer) connect(local, address string) net.Conn {
	p.T.Helper()

	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}

	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		p.T.Fatal(err)
	}

	return conn
}

// Open is Dial over a connection that there is.
func (p *Peer) Open(conn net.Conn) (*Conn, *Message) {
	p.T.Helper()

	c, done := p.connection(conn), make(chan struct{})
	go func() { defer close(done); c.serve() }()
	p.T.Cleanup(func() { c.Close(); <-done })

	cer := Message{Flags: Request, Command: capabilitiesExchange, AVPs: p.capabilities()}

	return c, c.Call(&cer)
}

func (p *Peer) connection(conn net.Conn) *Conn {
	c := &Conn{Peer: p, conn: conn, answers: make(chan Message, 1000), ended: make(chan struct{})}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, c)

	return c
}

func (p *Peer) identity() []AVP {
	return []AVP{Text(OriginHost, 0, p.Host), Text(OriginRealm, 0, p.Realm)}
}

func (p *Peer) capabilities() []AVP {
	return append(append(p.identity(), AVP{Code: HostIPAddress, Flags: mandatory, Data: []byte{0, 1, 127, 0, 0, 1}},
		Number(VendorID, 0, 0), AVP{Code: ProductName, Data: []byte("foreign")}), p.Capabilities...)
}

// Close ends all connections.
func (p *Peer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()

	for _, c := range p.all {
		c.conn.Close()
	}
}

// Requests returns all that came and are not of the base protocol.
func (p *Peer) Requests() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()

	return append([]Message(nil), p.came...)
}

// Await waits until the requests that came fulfil a condition, and returns them.
func (p *Peer) Await(what string, condition func([]Message) bool) []Message {
	p.T.Helper()

	deadline := time.After(patience)

	for {
		p.mu.Lock()
		if p.news == nil {
			p.news = make(chan struct{})
		}
		came, news := append([]Message(nil), p.came...), p.news
		p.mu.Unlock()

		if condition(came) {
			return came
		}

		select {
		case <-news:
		case <-deadline:
			p.T.Fatalf("%s waited in vain for %s; %d requests came", p.Host, what, len(came))
		}
	}
}

func (p *Peer) note(m Message) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.came = append(p.came, m)
	if p.news != nil {
		close(p.news)
		p.news = nil
	}
}

func (c *Conn) serve() {
	defer close(c.ended)
	defer c.conn.Close()

	for {
		raw, err := read(c.conn)
		if err != nil {
			return
		}

		m, err := Parse(raw)
		if err != nil {
			c.Peer.T.Errorf("%s got what cannot be read: %v", c.Peer.Host, err)
			return
		}

		if m.IsRequest() && m.Application != 0 {
			c.Peer.note(m)
		}

		switch {
		case !m.IsRequest():
			c.answers <- m
		case c.Peer.deaf.Load():
		case m.Application != 0:
			if c.Peer.Answer == nil {
				continue
			}
			if answer := c.Peer.Answer(c, &m); answer != nil {
				c.Send(answer)
			}
		case m.Command == capabilitiesExchange:
			c.Send(m.reply(append([]AVP{Number(ResultCode, 0, 2001)}, c.Peer.capabilities()...)))
		case m.Command == deviceWatchdog || m.Command == disconnectPeer:
			c.Send(m.reply(append([]AVP{Number(ResultCode, 0, 2001)}, c.Peer.identity()...)))
		}
	}
}

func read(r io.Reader) ([]byte, error) {
	header := make([]byte, 20)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}

	length := int(binary.BigEndian.Uint32(header) & 0xFFFFFF)
	if length < len(header) {
		return nil, errors.New("a message shorter than its header")
	}

	raw := append(header, make([]byte, length-len(header))...)
	_, err := io.ReadFull(r, raw[20:])

	return raw, err
}

func (m *Message) reply(avps []AVP) *Message {
	return &Message{
		Flags:       m.Flags & Proxiable,
		Command:     m.Command,
		Application: m.Application,
		HopByHop:    m.HopByHop,
		EndToEnd:    m.EndToEnd,
		AVPs:        avps,
	}
}

// Reply answers a request: Session-Id as it came, the result, the peer's identity, and what else there is to say. A result of the
// 3xxx class has the E bit.
func (c *Conn) Reply(q *Message, result uint32, avps ...AVP) *Message {
	head := []AVP{{Code: SessionID, Flags: mandatory, Data: q.Find(SessionID)}, Number(ResultCode, 0, result)}
	answer := q.reply(append(append(head, c.Peer.identity()...), avps...))

	if result/1000 == 3 {
		answer.Flags |= ErrorBit
	}

	return answer
}

// Send writes a message.
func (c *Conn) Send(m *Message) { c.Write(m.Bytes()) }

// Write writes octets. That the other side has closed the connection is for the test to see by its end.
func (c *Conn) Write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()

	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.conn.Write(b)
}

// Call sends a request under identifiers of its own and waits for the answer.
func (c *Conn) Call(m *Message) *Message {
	c.Peer.T.Helper()

	m.HopByHop = c.ids.Add(1)
	m.EndToEnd = m.HopByHop
	c.Send(m)

	return c.Answer(m.HopByHop)
}

// Answer waits for the answer with an identifier; nil: the connection ended before.
func (c *Conn) Answer(hopByHop uint32) *Message {
	c.Peer.T.Helper()

	deadline := time.After(patience)

	for {
		select {
		case m := <-c.answers:
			if m.HopByHop == hopByHop {
				return &m
			}
		case <-c.ended:
			select {
			case m := <-c.answers:
				if m.HopByHop == hopByHop {
					return &m
				}
			default:
				return nil
			}
		case <-deadline:
			c.Peer.T.Fatalf("%s: no answer", c.Peer.Host)
		}
	}
}

// Ended waits for the end of the connection.
func (c *Conn) Ended() {
	c.Peer.T.Helper()

	select {
	case <-c.ended:
	case <-time.After(patience):
		c.Peer.T.Fatalf("%s: the connection does not end", c.Peer.Host)
	}
}

// Open reports whether the connection has not ended.
func (c *Conn) Open() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// Close ends the connection.
func (c *Conn) Close() { c.conn.Close() }
