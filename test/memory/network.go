// Package memory holds what tests in a bubble of testing/synctest need of the world outside: a network whose sockets no other
// process sees, peers that speak SIP as text, and a log.
package memory

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

const (
	backlog   = 4096 // datagrams that wait in a socket, or writes in a connection
	firstPort = 40000
)

// Network is a stack.Network.
type Network struct {
	mu        sync.Mutex
	sockets   map[netip.AddrPort]*socket
	listeners map[netip.AddrPort]*listener
	nextPort  uint16
	silent    map[netip.AddrPort]bool
	dials     map[netip.AddrPort]int
	astray    map[netip.AddrPort]bool
}

// New returns a network without anybody.
func New() *Network {
	return &Network{
		sockets: map[netip.AddrPort]*socket{}, listeners: map[netip.AddrPort]*listener{}, nextPort: firstPort,
		silent: map[netip.AddrPort]bool{}, dials: map[netip.AddrPort]int{}, astray: map[netip.AddrPort]bool{},
	}
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
	readers atomic.Int32 // that wait
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
func (n *Network) ListenPacket(_ context.Context, address string) (stack.PacketConn, error) {
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
		return nil, fmt.Errorf("memory: %s: %w", a, syscall.EADDRINUSE)
	}

	s := &socket{network: n, address: a, in: make(chan datagram, backlog), closed: make(chan struct{})}
	n.sockets[a] = s

	return s, nil
}

func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	s.readers.Add(1)
	defer s.readers.Add(-1)

	select {
	case d := <-s.in:
		return copy(b, d.data), d.from, nil
	case <-s.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToUDPAddrPort loses what nobody listens for, and what does not fit, as UDP does.
func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}

	s.network.mu.Lock()
	other := s.network.sockets[to]
	if other == nil {
		s.network.lose(to)
	}
	s.network.mu.Unlock()

	if other == nil {
		return len(b), nil
	}

	select {
	case other.in <- datagram{s.address, append([]byte(nil), b...)}:
	default:
	}

	return len(b), nil
}

// lose is called with the lock held.
func (n *Network) lose(to netip.AddrPort) {
	if len(n.astray) < backlog {
		n.astray[to] = true
	}
}

// Astray returns the addresses that something was sent to although nobody is there.
func (n *Network) Astray() []netip.AddrPort {
	n.mu.Lock()
	defer n.mu.Unlock()

	return slices.SortedFunc(maps.Keys(n.astray), netip.AddrPort.Compare)
}

// Readers counts who waits for datagrams when everybody has done what there was to do.
func (n *Network) Readers() (sum int) {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()

	for _, s := range n.sockets {
		sum += int(s.readers.Load())
	}

	return sum
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
		return nil, fmt.Errorf("memory: %s: %w", a, syscall.EADDRINUSE)
	}

	l := &listener{network: n, address: a, in: make(chan net.Conn, 64), closed: make(chan struct{})}
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

// Silence makes an address neither take connections nor refuse them.
func (n *Network) Silence(address netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.silent[address] = true
}

// Dials counts the attempts to connect to an address.
func (n *Network) Dials(address netip.AddrPort) int {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.dials[address]
}

// Dial opens a connection.
func (n *Network) Dial(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	n.dials[remote]++
	l, silent := n.listeners[remote], n.silent[remote]

	if l == nil {
		n.lose(remote)
	}

	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), n.nextPort)
		n.nextPort++
	}
	n.mu.Unlock()

	switch {
	case silent:
		<-ctx.Done()
		return nil, ctx.Err()
	case l == nil:
		return nil, fmt.Errorf("memory: %s: %w", remote, syscall.ECONNREFUSED)
	}

	here, there := connection(local, remote)

	select {
	case l.in <- there:
		return here, nil
	case <-l.closed:
		return nil, fmt.Errorf("memory: %s: %w", remote, syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
