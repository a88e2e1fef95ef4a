package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const (
	socketBuffer = 4 << 20 // octets that the kernel keeps for a UDP socket
	writeTime    = 5 * time.Second
)

// Endpoint is one local address, over UDP, TCP or both on the same port. Requests that leave from it have its address in Via.
type Endpoint struct {
	name    string
	stack   *Stack
	bound   netip.AddrPort // the sockets' address
	address netip.AddrPort // the address given to others
	names   []string
	timers  EndpointTimers
	udp     PacketConn
	tcp     net.Listener

	fixedPort bool // connections leave from the endpoint's own port

	// reply, when set, chooses the flow of responses over UDP: by TS 33.203 a P-CSCF answers from its client port the requests that came
	// to its server port.
	reply atomic.Pointer[func(Flow) Flow]
	work  atomic.Pointer[func(Flow) (end func())] // set by InWork

	mu          sync.Mutex
	connections map[netip.AddrPort]*stream
	dials       map[netip.AddrPort]*dial
	accepted    map[netip.Prefix]int // connections, by the address that opened them
	closed      bool
}

// Flow is a path of messages: a pair of addresses at an endpoint. It stays usable when its connection is gone: a new one is opened, if
// the other side takes it.
type Flow struct {
	Endpoint  *Endpoint
	Transport string // "UDP" or "TCP"
	Local     netip.AddrPort
	Remote    netip.AddrPort

	// Server is the endpoint that the other side is told of, in Via and in the routes of dialogs, when messages leave from another:
	// between protected ports they are two (TS 33.203 §7.1).
	Server *Endpoint
	// TakesTCP lets a request that is too large for UDP try TCP to the same address first (RFC 3261 §18.1.1).
	TakesTCP bool

	tentative bool // UDP is tried after this flow
}

// Named returns the endpoint that the other side is told of.
func (f Flow) Named() *Endpoint {
	if f.Server != nil {
		return f.Server
	}

	return f.Endpoint
}

// String returns the flow as text for logs.
func (f Flow) String() string {
	return f.Transport + " " + f.Local.String() + " " + f.Remote.String()
}

func (s *Stack) bind(c EndpointConfig) (*Endpoint, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}

	e := &Endpoint{
		name:        c.Name,
		stack:       s,
		names:       c.Names,
		timers:      c.Timers.or(s.config.Timers.endpoint()),
		fixedPort:   c.FixedPort,
		connections: map[netip.AddrPort]*stream{},
		dials:       map[netip.AddrPort]*dial{},
		accepted:    map[netip.Prefix]int{},
	}
	address := c.Address

	// Port 0 takes a free one, the same for both transports.
	if slices.Contains(c.Transports, "tcp") {
		listener, err := s.network.Listen(s.ctx, address, c.FixedPort)
		if err != nil {
			return nil, fmt.Errorf("sip: endpoint %s: %w", c.Name, err)
		}

		e.tcp, e.bound = listener, listener.Addr().(*net.TCPAddr).AddrPort()
		address = e.bound.String()
	}

	if slices.Contains(c.Transports, "udp") {
		socket, err := s.network.ListenPacket(s.ctx, address)
		if err != nil {
			e.close()
			return nil, fmt.Errorf("sip: endpoint %s: %w", c.Name, err)
		}

		e.udp, e.bound = socket, socket.LocalAddr().(*net.UDPAddr).AddrPort()
	}

	e.bound = netip.AddrPortFrom(e.bound.Addr().Unmap(), e.bound.Port())
	e.address = c.advertised(e.bound)

	return e, nil
}

// Name returns the configured name.
func (e *Endpoint) Name() string { return e.name }

// Address returns the address given to others: the local one, or the one advertised in its place.
func (e *Endpoint) Address() netip.AddrPort { return e.address }

// speaks reports whether the endpoint has this transport.
func (e *Endpoint) speaks(transport string) bool {
	return transport == "UDP" && e.udp != nil || transport == "TCP" && e.tcp != nil
}

// URI returns a SIP URI of the endpoint with the loose-routing parameter, as for Path, Service-Route and Record-Route.
func (e *Endpoint) URI(user string) string {
	if user != "" {
		user += "@"
	}

	return "sip:" + user + e.address.String() + ";lr"
}

// Own reports whether a URI names this endpoint.
func (e *Endpoint) Own(u sip.Uri) bool {
	port := u.Port
	if port == 0 {
		port = 5060
	}

	host := strings.Trim(u.Host, "[]")
	if port == int(e.address.Port()) && (host == e.address.Addr().String() ||
		slices.ContainsFunc(e.names, func(name string) bool { return strings.EqualFold(name, host) })) {
		return true
	}

	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}

	target := netip.AddrPortFrom(ip.Unmap(), uint16(port))

	return target == e.address || target == e.bound
}

// ReplyBy makes responses over UDP to requests of this endpoint leave by the flow that choose returns for the request's flow, whatever
// their Via says (TS 33.203 §7.1: from the client port to the server port).
func (e *Endpoint) ReplyBy(choose func(Flow) Flow) { e.reply.Store(&choose) }

// InWork has begin called for each request of this endpoint, with the request's flow; the function that begin returns, if not nil, is
// called when the request is answered and nobody works on it any more.
func (e *Endpoint) InWork(begin func(Flow) (end func())) { e.work.Store(&begin) }

// serve is called once for each endpoint, with the stack's lock held.
func (s *Stack) serve(e *Endpoint) {
	if e.udp != nil {
		s.running.Go(func() { s.readUDP(e) })
	}

	if e.tcp != nil {
		s.running.Go(func() { s.acceptTCP(e) })
	}
}

func (s *Stack) readUDP(e *Endpoint) {
	buffer := make([]byte, 65536)

	for {
		n, remote, err := e.udp.ReadFromUDPAddrPort(buffer)
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}

			continue // an ICMP error of an earlier datagram
		}

		flow := Flow{Endpoint: e, Transport: "UDP", Local: e.address, Remote: netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())}

		s.datagram(flow, buffer[:n])
	}
}

// datagram handles one received datagram, and keeps nothing of its buffer.
func (s *Stack) datagram(flow Flow, raw []byte) {
	switch {
	case len(bytes.Trim(raw, "\r\n\x00")) == 0: // keep-alive (RFC 5626 §4.4.2 is STUN's; handsets send CRLF all the same)
	case len(raw) > s.config.Limits.MaxMessage:
		s.trace(flow, bytes.Clone(raw), false)
		s.malformed(flow, raw[:s.config.Limits.MaxMessage], errTooLarge)
	default:
		s.receive(flow, bytes.Clone(raw))
	}
}

// transmit sends the octets of one message from this endpoint.
func (e *Endpoint) transmit(ctx context.Context, flow Flow, raw []byte) error {
	if err := e.stack.fits(flow, raw); err != nil {
		e.stack.dropped(raw, err)
		return err
	}

	if flow.Transport == "UDP" {
		if e.udp == nil {
			return fmt.Errorf("sip: endpoint %s has no UDP", e.name)
		}

		e.stack.trace(flow, raw, true)

		_, err := e.udp.WriteToUDPAddrPort(raw, flow.Remote)

		return err
	}

	c, err := e.stream(ctx, flow)
	if err != nil {
		return err
	}

	e.stack.trace(c.flow, raw, true) // with the port that the connection has

	return c.write(raw)
}

func (e *Endpoint) connected(remote netip.AddrPort) *stream {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.connections[remote]
}

// Disconnect closes the connection with this address, if there is one. Requests without an answer by then end as when any connection is
// lost.
func (e *Endpoint) Disconnect(remote netip.AddrPort) {
	if c := e.connected(remote); c != nil {
		c.dismissed.Store(true)
		e.forget(c)
		c.conn.Close()
	}
}

func (e *Endpoint) close() {
	e.mu.Lock()
	e.closed = true
	connections := e.connections
	e.connections = map[netip.AddrPort]*stream{}
	e.mu.Unlock()

	if e.udp != nil {
		e.udp.Close()
	}

	if e.tcp != nil {
		e.tcp.Close()
	}

	for _, c := range connections {
		c.conn.Close()
	}
}
