package sip_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/prometheus/client_golang/prometheus"
)

// memory is a network without sockets, for tests whose time is synctest's.
type memory struct {
	mu        sync.Mutex
	packets   map[netip.AddrPort]*datagrams
	listeners map[netip.AddrPort]*listener
	silent    map[netip.AddrPort]bool // connections to these are neither taken nor refused
	dials     map[netip.AddrPort]int  // attempts, by where to
	port      uint16
}

func newMemory() *memory {
	return &memory{
		packets: map[netip.AddrPort]*datagrams{}, listeners: map[netip.AddrPort]*listener{}, silent: map[netip.AddrPort]bool{},
		dials: map[netip.AddrPort]int{}, port: 40000,
	}
}

const backlog = 4096 // messages that wait for their reader

type packet struct {
	raw  []byte
	from netip.AddrPort
}

// datagrams is a UDP socket.
type datagrams struct {
	network *memory
	address netip.AddrPort
	queue   chan packet
	closed  chan struct{}
	once    sync.Once
	readers atomic.Int32 // that wait
}

// reading counts who waits for datagrams.
func (n *memory) reading() (sum int) {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()

	for _, p := range n.packets {
		sum += int(p.readers.Load())
	}

	return sum
}

func (n *memory) ListenPacket(_ context.Context, address string) (sip.PacketConn, error) {
	return n.listenPacket(netip.MustParseAddrPort(address))
}

func (n *memory) listenPacket(address netip.AddrPort) (*datagrams, error) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.packets[address] != nil {
		return nil, syscall.EADDRINUSE
	}

	p := &datagrams{network: n, address: address, queue: make(chan packet, backlog), closed: make(chan struct{})}
	n.packets[address] = p

	return p, nil
}

func (p *datagrams) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	p.readers.Add(1)
	defer p.readers.Add(-1)

	select {
	case m := <-p.queue:
		return copy(b, m.raw), m.from, nil
	case <-p.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToUDPAddrPort loses what nobody listens for, as UDP does.
func (p *datagrams) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-p.closed:
		return 0, net.ErrClosed
	default:
	}

	p.network.mu.Lock()
	other := p.network.packets[to]
	p.network.mu.Unlock()

	if other != nil {
		select {
		case other.queue <- packet{append([]byte(nil), b...), p.address}:
		default:
		}
	}

	return len(b), nil
}

func (p *datagrams) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.address) }

func (p *datagrams) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.network.mu.Lock()
		delete(p.network.packets, p.address)
		p.network.mu.Unlock()
	})

	return nil
}

type listener struct {
	network *memory
	address netip.AddrPort
	queue   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (n *memory) Listen(_ context.Context, address string, _ bool) (net.Listener, error) {
	l := &listener{network: n, address: netip.MustParseAddrPort(address), queue: make(chan net.Conn, 64), closed: make(chan struct{})}

	n.mu.Lock()
	defer n.mu.Unlock()

	if n.listeners[l.address] != nil {
		return nil, syscall.EADDRINUSE
	}
	n.listeners[l.address] = l

	return l, nil
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.address) }

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		delete(l.network.listeners, l.address)
		l.network.mu.Unlock()
	})

	return nil
}

func (n *memory) Dial(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	n.dials[remote]++
	n.port++
	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), n.port)
	}
	l, silent := n.listeners[remote], n.silent[remote]
	n.mu.Unlock()

	switch {
	case silent:
		<-ctx.Done()
		return nil, ctx.Err()
	case l == nil:
		return nil, syscall.ECONNREFUSED
	}

	there, back := newPipe(), newPipe()
	select {
	case l.queue <- &conn{local: remote, remote: local, in: there, out: back}:
		return &conn{local: local, remote: remote, in: back, out: there}, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	}
}

// pipe is one direction of a connection.
type pipe struct {
	queue  chan []byte
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipe { return &pipe{queue: make(chan []byte, backlog), closed: make(chan struct{})} }

func (p *pipe) close() { p.once.Do(func() { close(p.closed) }) }

type conn struct {
	local, remote netip.AddrPort
	in, out       *pipe
	rest          []byte

	mu       sync.Mutex
	deadline time.Time // of reads; writes never wait
}

func (c *conn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		c.mu.Lock()
		deadline := c.deadline
		c.mu.Unlock()

		var late <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			late = timer.C
		}

		select {
		case c.rest = <-c.in.queue:
		default:
			select {
			case c.rest = <-c.in.queue:
			case <-c.in.closed:
				select {
				case c.rest = <-c.in.queue:
				default:
					return 0, io.EOF
				}
			case <-late:
				return 0, os.ErrDeadlineExceeded
			}
		}
	}

	n := copy(b, c.rest)
	c.rest = c.rest[n:]

	return n, nil
}

func (c *conn) Write(b []byte) (int, error) {
	select {
	case <-c.out.closed:
		return 0, syscall.EPIPE
	default:
	}

	select {
	case c.out.queue <- append([]byte(nil), b...):
		return len(b), nil
	case <-c.out.closed:
		return 0, syscall.EPIPE
	}
}

func (c *conn) Close() error {
	c.in.close()
	c.out.close()

	return nil
}

func (c *conn) LocalAddr() net.Addr              { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr             { return net.TCPAddrFromAddrPort(c.remote) }
func (c *conn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t

	return nil
}

// node is a stack in memory.
type node struct {
	*sip.Stack
	registry *prometheus.Registry
}

// stack starts a stack at this address, with the timers of the specification.
func (n *memory) stack(t testing.TB, address string, u *user, edits ...func(*sip.Config)) *node {
	t.Helper()

	c := sip.DefaultConfig(sip.EndpointConfig{Name: "Mw", Address: address, Transports: []string{"udp", "tcp"}})
	for _, edit := range edits {
		edit(&c)
	}

	registry := prometheus.NewRegistry()
	s, err := sip.New(c, u, sip.Options{Network: n, Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	u.stack = s

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	return &node{s, registry}
}

// value is that of a metric, its time series added up.
func (n *node) value(t testing.TB, name string) (sum float64) {
	t.Helper()

	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range families {
		if f.GetName() != "dialtone_sip_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}

	return sum
}

// empty wants that nothing of a transaction is left.
func (n *node) empty(t testing.TB) {
	t.Helper()
	synctest.Wait()

	if left := n.value(t, "transactions"); left != 0 {
		t.Errorf("%v transactions are left", left)
	}
}

// peer is the other side of the wire: a test that reads and writes octets.
type peer struct {
	t       testing.TB
	socket  *datagrams
	begin   time.Time
	address netip.AddrPort
}

func (n *memory) peer(t testing.TB, address string) *peer {
	t.Helper()

	at := netip.MustParseAddrPort(address)
	socket, err := n.listenPacket(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })

	return &peer{t: t, socket: socket, begin: time.Now(), address: at}
}

func (p *peer) send(to *node, text string) {
	p.t.Helper()

	if _, err := p.socket.WriteToUDPAddrPort([]byte(text), to.Endpoint("Mw").Address()); err != nil {
		p.t.Fatal(err)
	}
}

var errNothing = errors.New("nothing came")

// receive is the next message, of those that come within d.
func (p *peer) receive(d time.Duration) (sip.Message, error) {
	select {
	case m := <-p.socket.queue:
		return sip.ParseMessage(m.raw)
	case <-time.After(d):
		return nil, errNothing
	}
}

// request is the next message, which must be one.
func (p *peer) request(method string) *sip.Request {
	p.t.Helper()

	m, err := p.receive(time.Hour)
	r, ok := m.(*sip.Request)
	if err != nil || !ok || string(r.Method) != method {
		p.t.Fatalf("%s came, want %s (%v)", firstLine(m), method, err)
	}

	return r
}

// response is the next message, which must be one with this status.
func (p *peer) response(status int) *sip.Response {
	p.t.Helper()

	m, err := p.receive(time.Hour)
	r, ok := m.(*sip.Response)
	if err != nil || !ok || r.StatusCode != status {
		p.t.Fatalf("%s came, want %d (%v)", firstLine(m), status, err)
	}

	return r
}

// nothing wants that nothing comes for some time.
func (p *peer) nothing(d time.Duration) {
	p.t.Helper()

	if m, err := p.receive(d); !errors.Is(err, errNothing) {
		p.t.Fatalf("%s came, want nothing (%v)", firstLine(m), err)
	}
}

// drained is all that is there already.
func (p *peer) drained() (lines []string) {
	synctest.Wait()
	for {
		select {
		case m := <-p.socket.queue:
			lines = append(lines, strings.SplitN(string(m.raw), "\r\n", 2)[0])
		default:
			return lines
		}
	}
}

// answer responds to a request that came.
func (p *peer) answer(to *node, r *sip.Request, status int, headers ...sip.Header) *sip.Response {
	p.t.Helper()

	response := sip.NewResponse(r, status, "")
	for _, h := range headers {
		response.AppendHeader(h)
	}
	p.send(to, response.String())

	return response
}

func firstLine(m sip.Message) string {
	switch m := m.(type) {
	case *sip.Request:
		return m.StartLine()
	case *sip.Response:
		return m.StartLine()
	default:
		return "nothing"
	}
}

// text is a request as this peer sends it.
func (p *peer) text(method, target, branch string, more ...string) string {
	return method + " " + target + " SIP/2.0\r\nVia: SIP/2.0/UDP " + p.address.String() + ";branch=z9hG4bK" + branch +
		"\r\nMax-Forwards: 70\r\nFrom: <sip:a@example>;tag=1\r\nTo: <sip:b@example>\r\nCall-ID: " + branch + "\r\nCSeq: 1 " + method +
		"\r\nContact: <sip:a@" + p.address.String() + ">\r\n" + strings.Join(more, "") + "Content-Length: 0\r\n\r\n"
}

// within runs a test in a bubble of time with a network in memory.
func within(t *testing.T, f func(t *testing.T, n *memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newMemory()) })
}
