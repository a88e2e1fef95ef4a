package nameserver

import (
	"net"
	"net/netip"
	"sync"
)

// Connections that are open at a time, and those of one source: a further one is closed at once, and who has it asks by UDP or comes again.
const (
	connections = 100
	ofOneSource = 20
)

// boundedListener accepts so many connections.
type boundedListener struct {
	net.Listener

	mu      sync.Mutex
	open    int
	sources map[netip.Addr]int
}

func bounded(l net.Listener) net.Listener {
	return &boundedListener{Listener: l, sources: map[netip.Addr]int{}}
}

// Accept waits for a connection that there is room for.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}

		source := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if l.enter(source) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(source) })}, nil
		}

		_ = c.Close()
	}
}

func (l *boundedListener) enter(source netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.open >= connections || l.sources[source] >= ofOneSource {
		return false
	}

	l.open++
	l.sources[source]++

	return true
}

func (l *boundedListener) leave(source netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.open--

	if l.sources[source]--; l.sources[source] == 0 {
		delete(l.sources, source)
	}
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Close makes room for another one.
func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
