// Package memory is a network inside one process, for tests that run in a bubble of testing/synctest: sockets that no other
// process sees, and peers that speak SIP as text.
package memory

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const (
	datagrams = 4096 // that wait in a socket; more are lost, as on a real one
	firstPort = 40000
)

// Network is a sip.Network.
type Network struct {
	mu        sync.Mutex
	sockets   map[netip.AddrPort]*socket
	listeners map[netip.AddrPort]*listener
	nextPort  uint16
	astray    map[netip.AddrPort]bool
}

// New is a network without anybody.
func New() *Network {
	return &Network{sockets: map[netip.AddrPort]*socket{}, listeners: map[netip.AddrPort]*listener{}, nextPort: firstPort, astray: map[netip.AddrPort]bool{}}
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

type socket struct {
	network *Network
	address netip.AddrPort
	in      chan datagram
	closed  chan struct{}
	once    sync.Once
}

func (n *Network) parse(address string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return a, err
	}

	if a.Port() == 0 {
		a = netip.AddrPortFrom(a.Addr(), n.nextPort)
		n.nextPort++
	}

	return a, nil
}

// ListenPacket opens a UDP socket.
func (n *Network) ListenPacket(_ context.Context, address string) (sip.PacketConn, error) {
	return n.socket(address)
}

func (n *Network) socket(address string) (*socket, error) {
	n.mu.Lock()
	defer n.mu.Unlock()

	a, err := n.parse(address)
	if err != nil {
		return nil, err
	}

	if n.sockets[a] != nil {
		return nil, fmt.Errorf("memory: %s is taken", a)
	}

	s := &socket{network: n, address: a, in: make(chan datagram, datagrams), closed: make(chan struct{})}
	n.sockets[a] = s

	return s, nil
}

func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-s.in:
		return copy(b, d.data), d.from, nil
	case <-s.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.network.mu.Lock()
	other := s.network.sockets[to]
	if other == nil {
		s.network.lose(to)
	}
	s.network.mu.Unlock()

	if other == nil {
		return len(b), nil // nobody listens there; UDP does not say so
	}

	select {
	case other.in <- datagram{s.address, append([]byte(nil), b...)}:
	default:
	}

	return len(b), nil
}

// lose is called with the lock held.
func (n *Network) lose(to netip.AddrPort) {
	if len(n.astray) < datagrams {
		n.astray[to] = true
	}
}

// Astray are the addresses that something was sent to although nobody is there.
func (n *Network) Astray() []netip.AddrPort {
	n.mu.Lock()
	defer n.mu.Unlock()

	return slices.SortedFunc(maps.Keys(n.astray), netip.AddrPort.Compare)
}

func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.address) }

func (s *socket) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.network.mu.Lock()
		delete(s.network.sockets, s.address)
		s.network.mu.Unlock()
	})

	return nil
}

type listener struct {
	network *Network
	address netip.AddrPort
	in      chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Listen opens a TCP socket.
func (n *Network) Listen(_ context.Context, address string, _ bool) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()

	a, err := n.parse(address)
	if err != nil {
		return nil, err
	}

	if n.listeners[a] != nil {
		return nil, fmt.Errorf("memory: %s is taken", a)
	}

	l := &listener{network: n, address: a, in: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[a] = l

	return l, nil
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
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

type conn struct {
	net.Conn
	local, remote netip.AddrPort
}

func (c conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Dial opens a connection.
func (n *Network) Dial(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[remote]
	if l == nil {
		n.lose(remote)
	}

	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), n.nextPort)
		n.nextPort++
	}
	n.mu.Unlock()

	if l == nil {
		return nil, fmt.Errorf("memory: connection refused by %s", remote)
	}

	here, there := net.Pipe()

	select {
	case l.in <- conn{there, remote, local}:
		return conn{here, local, remote}, nil
	case <-l.closed:
		return nil, fmt.Errorf("memory: connection refused by %s", remote)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("memory: %s accepts no more connections", remote)
	}
}
