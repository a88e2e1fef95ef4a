package diameter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"

	"github.com/dialtone-ims/dialtone/pkg/trace"
)

const (
	handshakeTime = 10 * time.Second // for CER and CEA to come
	writeTime     = 10 * time.Second // for the peer's socket to take a message
	leaveTime     = 2 * time.Second  // for DPA to come
)

var errLost = errors.New("the Diameter connection was lost")

// connection is an open transport connection whose capabilities are exchanged (state I-Open or R-Open of RFC 6733 §5.6).
type connection struct {
	node         *Node
	conn         net.Conn
	outbound     bool
	peer         capabilities
	applications []uint32
	transport    string
	local        netip.AddrPort
	remote       netip.AddrPort
	done         chan struct{} // closed when the connection is
	inWork       chan struct{} // a place for each request being served
	handlers     sync.WaitGroup

	hopByHop atomic.Uint32
	heard    atomic.Bool // anything came since the watchdog last looked
	suspect  atomic.Bool // RFC 3539: not to be used for new requests
	ready    atomic.Bool // the capabilities are exchanged: requests may be sent

	writing sync.Mutex
	writer  *bufio.Writer
	waiting atomic.Int32 // writers that wait for the lock: the last one flushes

	mu      sync.Mutex
	pending map[uint32]chan *Message // by hop-by-hop identifier
	cause   error
	closed  bool
}

func (n *Node) newConnection(conn net.Conn, outbound bool) *connection {
	c := &connection{
		node:      n,
		conn:      conn,
		outbound:  outbound,
		transport: "TCP",
		local:     addressOf(conn.LocalAddr()),
		remote:    addressOf(conn.RemoteAddr()),
		done:      make(chan struct{}),
		inWork:    make(chan struct{}, n.config.MaxConcurrent),
		writer:    bufio.NewWriterSize(conn, 16<<10),
		pending:   map[uint32]chan *Message{},
	}
	c.hopByHop.Store(rand.Uint32())

	return c
}

func addressOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		address := tcp.AddrPort()
		return netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	}

	return netip.AddrPort{}
}

func (c *connection) state() string {
	if c.suspect.Load() {
		return "suspect"
	}

	return "open"
}

// read takes the next message off the connection, and tells the tap and the counters of it.
func (c *connection) read(r io.Reader) (*Message, error) {
	m, raw, err := c.node.dictionary.Read(r, c.node.config.MaxMessage)
	if len(raw) >= headerLength {
		c.trace(raw, false)
	}

	var fault *WireError
	if errors.As(err, &fault) {
		c.node.metrics.malformed.WithLabelValues(fmt.Sprint(fault.Result.Code)).Inc()
		c.node.log.Warn("Diameter message refused", "peer", c.name(), "result", fault.Result.Code, "reason", fault.Err,
			"command", fault.Header.CommandCode, "application", fault.Header.ApplicationID)
	}

	return m, err
}

func (c *connection) name() string {
	if c.peer.OriginHost != "" {
		return c.peer.OriginHost
	}

	return c.conn.RemoteAddr().String()
}

func (c *connection) trace(raw []byte, sent bool) {
	if c.node.tap == nil {
		return
	}

	name := "Diameter"
	if application := c.node.dictionary.applications[uint32(raw[8])<<24|uint32(raw[9])<<16|uint32(raw[10])<<8|uint32(raw[11])]; application != nil {
		name = application.Name
	}

	c.node.tap(trace.Message{
		Time: time.Now(), Interface: name, Protocol: trace.Diameter, Sent: sent, Transport: c.transport,
		Local: c.local, Remote: c.remote, Data: raw,
	})
}

// write sends one message. Writers that come while another writes share its flush.
func (c *connection) write(m *Message) error {
	raw, err := m.Serialize()
	if err != nil {
		return fmt.Errorf("diameter: %w", err)
	}

	c.trace(raw, true)
	c.waiting.Add(1)
	c.writing.Lock()
	defer c.writing.Unlock()

	last := c.waiting.Add(-1) == 0

	if err = c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err == nil {
		if _, err = c.writer.Write(raw); err == nil && last {
			err = c.writer.Flush()
		}
	}

	if err != nil {
		c.close(fmt.Errorf("%w: %w", errLost, err))
	}

	return err
}

func (c *connection) send(v Commander) error {
	m, err := c.node.dictionary.Encode(v)
	if err != nil {
		return err
	}

	m.Header.HopByHopID = c.hopByHop.Add(1)
	m.Header.EndToEndID = c.node.endToEnd.Add(1)

	return c.write(m)
}

func (c *connection) answer(request *Message, v Commander) error {
	m, err := c.node.dictionary.Encode(v)
	if err != nil {
		return err
	}

	m.Header.HopByHopID, m.Header.EndToEndID = request.Header.HopByHopID, request.Header.EndToEndID

	return c.write(m)
}

// close ends the connection once; every request that waits for an answer learns of it and looks for another peer.
func (c *connection) close(cause error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}

	c.closed, c.cause = true, cause
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()

	for _, answer := range pending {
		close(answer)
	}

	close(c.done)
	c.conn.Close()
}

func (c *connection) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.cause
}

// failover lets every waiting request look for another peer (RFC 3539 §3.4.1 FailOver).
func (c *connection) failover() {
	c.mu.Lock()
	pending := c.pending
	c.pending = map[uint32]chan *Message{}
	c.mu.Unlock()

	for _, answer := range pending {
		close(answer)
	}
}

// expect registers a request; the channel gives its answer, or is closed when none can come any more.
func (c *connection) expect(hopByHop uint32) (<-chan *Message, bool) {
	answer := make(chan *Message, 1)

	c.mu.Lock()
	defer c.mu.Unlock()

	if c.closed {
		return nil, false
	}

	c.pending[hopByHop] = answer

	return answer, true
}

func (c *connection) forget(hopByHop uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()

	delete(c.pending, hopByHop)
}

// serve reads until the connection ends.
func (c *connection) serve(ctx context.Context, r io.Reader) error {
	n := c.node
	c.ready.Store(true)
	n.metrics.open.WithLabelValues(c.peer.OriginHost).Set(1)
	n.log.Info("Diameter peer connected", "peer", c.peer.OriginHost, "remote", c.conn.RemoteAddr(), "applications", c.applications)

	ctx, cancel := context.WithCancel(ctx)
	stopped := context.AfterFunc(ctx, c.leave)

	go c.watch()

	defer func() {
		stopped()
		cancel()
		n.unregister(c)
		c.close(errLost)
		c.handlers.Wait()
		n.metrics.open.WithLabelValues(c.peer.OriginHost).Set(0)
	}()

	for {
		m, err := c.read(r)

		var fault *WireError

		switch {
		case errors.As(err, &fault):
			c.heard.Store(true)

			if fault.Request() {
				if err := c.write(n.dictionary.refuseWire(fault, n.Identity())); err != nil {
					return err
				}
			}

			if fault.Fatal {
				return fault
			}

			continue
		case err != nil:
			return errors.Join(c.reason(), err)
		}

		c.heard.Store(true)

		if m.Header.CommandFlags&diam.RequestFlag == 0 {
			c.answered(m)
		} else if err := c.requested(ctx, m); err != nil {
			return err
		}
	}
}

// answered hands an answer to whoever waits for it.
func (c *connection) answered(m *Message) {
	if m.Header.ApplicationID == 0 {
		if m.Header.CommandCode == 282 { // DPA
			c.close(errors.New("the peer agreed to disconnect"))
		}

		return // DWA: that it came is all that counts
	}

	c.mu.Lock()
	answer, expected := c.pending[m.Header.HopByHopID]
	delete(c.pending, m.Header.HopByHopID)
	c.mu.Unlock()

	if !expected {
		c.node.metrics.unexpected.Inc()
		c.node.log.Debug("Diameter answer that nothing waits for", "peer", c.name(), "command", m.Header.CommandCode)

		return
	}

	answer <- m
}

// requested serves the connection's own commands here and gives the others to their handlers.
func (c *connection) requested(ctx context.Context, m *Message) error {
	n := c.node

	if m.Header.ApplicationID == 0 {
		switch m.Header.CommandCode {
		case 280:
			return c.answer(m, &watchdogAnswer{Result: Success, OriginHost: n.config.OriginHost, OriginRealm: n.config.OriginRealm, OriginStateID: n.stateID})
		case 282:
			n.log.Info("Diameter peer takes its leave", "peer", c.name())
			err := c.answer(m, &disconnectAnswer{Result: Success, OriginHost: n.config.OriginHost, OriginRealm: n.config.OriginRealm})
			c.close(errors.New("the peer disconnected"))

			return err
		default: // CER within a connection, and what only applications use
			return c.write(n.dictionary.refuse(m, &Error{Result: CommandUnsupported, Message: "not on an open connection"}, n.Identity()))
		}
	}

	handle, refusal := n.handlerOf(m)
	if refusal != nil {
		n.count("received", m, refusal.Result)
		n.log.Warn("Diameter request refused", "peer", c.name(), "result", refusal.Result.Code, "reason", refusal.Message, "command", m.Header.CommandCode)

		return c.write(n.dictionary.refuse(m, refusal, n.Identity()))
	}

	select {
	case c.inWork <- struct{}{}:
	default:
		n.count("received", m, TooBusy)
		return c.write(n.dictionary.refuse(m, &Error{Result: TooBusy}, n.Identity()))
	}

	c.handlers.Go(func() {
		defer func() { <-c.inWork }()

		answer := c.handle(ctx, m, handle)
		answer.Header.HopByHopID, answer.Header.EndToEndID = m.Header.HopByHopID, m.Header.EndToEndID
		copyProxyInfo(answer, m)
		_ = c.write(answer) // a failure closes the connection
	})

	return nil
}

// handle keeps a panic of one procedure from ending the process.
func (c *connection) handle(ctx context.Context, m *Message, h handler) (answer *Message) {
	defer func() {
		if p := recover(); p != nil {
			c.node.log.Error("Diameter procedure panicked", "command", m.Header.CommandCode, "peer", c.name(), "panic", p, "stack", string(debug.Stack()))
			answer = c.node.dictionary.refuse(m, &Error{Result: UnableToComply, Message: "internal error"}, c.node.Identity())
		}
	}()

	return h(ctx, m)
}

// watch is the watchdog of RFC 3539 §3.4.1: OKAY to SUSPECT when a DWR stays without any sign of life for Tw, then down.
func (c *connection) watch() {
	asked := false

	for {
		jitter := time.Duration(rand.Int64N(int64(4*time.Second))) - 2*time.Second
		timer := time.NewTimer(c.node.config.Watchdog + jitter)

		select {
		case <-c.done:
			timer.Stop()
			return
		case <-timer.C:
		}

		switch heard := c.heard.Swap(false); {
		case heard && asked, heard && c.suspect.Load():
			asked = false
			c.suspect.Store(false)
		case heard: // there is traffic: nobody need be asked
		case !asked:
			asked = true
			_ = c.send(&watchdogRequest{OriginHost: c.node.config.OriginHost, OriginRealm: c.node.config.OriginRealm, OriginStateID: c.node.stateID})
		case !c.suspect.Load():
			c.suspect.Store(true)
			c.node.log.Warn("Diameter peer does not answer the watchdog", "peer", c.name())
			c.failover()
		default:
			c.close(errors.New("the peer did not answer the watchdog"))
			return
		}
	}
}

// leave says DPR, waits for what is in work and for DPA, and closes.
func (c *connection) leave() {
	_ = c.conn.SetReadDeadline(time.Now().Add(leaveTime))
	_ = c.send(&disconnectRequest{OriginHost: c.node.config.OriginHost, OriginRealm: c.node.config.OriginRealm, Cause: rebooting})
}

// serveInbound waits for a CER and answers it (RFC 6733 §5.3).
func (n *Node) serveInbound(ctx context.Context, conn net.Conn) error {
	c := n.newConnection(conn, false)
	defer c.close(errLost)

	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	if err := conn.SetReadDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}

	reader := bufio.NewReaderSize(conn, 16<<10)

	m, err := c.read(reader)

	var fault *WireError
	if errors.As(err, &fault) && fault.Request() {
		_ = c.write(n.dictionary.refuseWire(fault, n.Identity()))
	}

	if err != nil {
		return fmt.Errorf("no CER: %w", err)
	}

	var request capabilitiesRequest
	if m.Header.CommandCode != 257 || m.Header.CommandFlags&diam.RequestFlag == 0 {
		return fmt.Errorf("no CER: command %d came first", m.Header.CommandCode)
	}

	if err := n.dictionary.Decode(m, &request); err != nil {
		_ = c.write(n.dictionary.refuse(m, ResultOf(err), n.Identity()))
		return fmt.Errorf("CER: %w", err)
	}

	c.peer, c.applications = request.capabilities, n.common(&request.capabilities)
	reply := &capabilitiesAnswer{Result: Success, capabilities: n.capabilities(c.local.Addr())}

	switch {
	case !n.config.AllowUnknownPeers && !n.configured(c.peer.OriginHost):
		reply.Result, reply.ErrorMessage = UnknownPeer, c.peer.OriginHost+" is not a peer of this node"
	case len(c.applications) == 0:
		reply.Result, reply.ErrorMessage = NoCommonApplication, "no application in common"
	case !n.register(c):
		reply.Result, reply.ErrorMessage = Result{Code: 4003}, "ELECTION_LOST: there is a connection already"
	}

	// The connection is registered, but not ready: nothing is sent over it before CEA.
	if err := c.answer(m, reply); err != nil {
		n.unregister(c)
		return err
	}

	if !reply.Result.Successful() {
		return fmt.Errorf("CER of %s refused: %w: %s", c.peer.OriginHost, reply.Result, reply.ErrorMessage)
	}

	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		n.unregister(c)
		return err
	}

	stop()

	return c.serve(ctx, reader)
}

func (n *Node) configured(host string) bool {
	return slices.ContainsFunc(n.config.Peers, func(p Peer) bool { return p.Host == host })
}

// serveOutbound sends CER over a connection that this side opened and waits for CEA.
func (n *Node) serveOutbound(ctx context.Context, conn net.Conn, p Peer) (opened bool, err error) {
	c := n.newConnection(conn, true)
	defer c.close(errLost)

	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return false, err
	}

	if err := c.send(&capabilitiesRequest{n.capabilities(c.local.Addr())}); err != nil {
		return false, err
	}

	reader := bufio.NewReaderSize(conn, 16<<10)

	m, err := c.read(reader)
	if err != nil {
		return false, fmt.Errorf("no CEA: %w", err)
	}

	var answer capabilitiesAnswer
	if m.Header.CommandCode != 257 || m.Header.CommandFlags&diam.RequestFlag != 0 {
		return false, fmt.Errorf("no CEA: command %d came first", m.Header.CommandCode)
	}

	if err := n.dictionary.Decode(m, &answer); err != nil {
		return false, fmt.Errorf("CEA: %w", err)
	}

	c.peer, c.applications = answer.capabilities, n.common(&answer.capabilities)

	switch {
	case !answer.Result.Successful():
		return false, fmt.Errorf("CEA: %w: %s", answer.Result, answer.ErrorMessage)
	case len(c.applications) == 0:
		return false, errors.New("CEA: no application in common")
	case c.peer.OriginHost != p.Host:
		return false, fmt.Errorf("CEA: %s answers where %s is configured", c.peer.OriginHost, p.Host)
	case !n.register(c):
		return false, errors.New("the peer's own connection stays")
	}

	if err := conn.SetDeadline(time.Time{}); err != nil {
		n.unregister(c)
		return false, err
	}

	stop()

	return true, c.serve(ctx, reader)
}
