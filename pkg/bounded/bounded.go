// Package bounded accepts a limited number of connections, in all and of one source.
package bounded

import (
	"net"
	"net/netip"
	"sync"
)

// listener accepts so many connections.
type listener struct {
	net.Listener

	connections, ofOneSource int

	mu      sync.Mutex
	open    int
	sources map[netip.Addr]int
}

// Listener returns one of l's TCP connections, of which at most so many are open at a time, and so many of one source. A further one is
// closed at once.
func Listener(l net.Listener, connections, ofOneSource int) net.Listener {
	return &listener{Listener: l, connections: connections, ofOneSource: ofOneSource, sources: map[netip.Addr]int{}}
}

// Accept waits for a connection that there is room for.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}

		source := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if l.enter(source) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(source) })}, nil
		}

		_ = c.Close()
	}
}

func (l *listener) enter(source netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.open >= l.connections || l.sources[source] >= l.ofOneSource {
		return false
	}

	l.open++
	l.sources[source]++

	return true
}

func (l *listener) leave(source netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.open--

	if l.sources[source]--; l.sources[source] == 0 {
		delete(l.sources, source)
	}
}

type conn struct {
	net.Conn
	leave func()
}

// Close makes room for another one.
func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}
