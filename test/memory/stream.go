package memory

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// connection gives both ends of one.
func connection(local, remote netip.AddrPort) (here, there *conn) {
	in, out := newPipe(), newPipe()
	return &conn{local: local, remote: remote, in: in, out: out}, &conn{local: remote, remote: local, in: out, out: in}
}

// pipe is one direction of a connection.
type pipe struct {
	queue   chan []byte
	closed  chan struct{}
	once    sync.Once
	stalled atomic.Bool
	reset   atomic.Bool
}

func newPipe() *pipe { return &pipe{queue: make(chan []byte, backlog), closed: make(chan struct{})} }

func (p *pipe) close() { p.once.Do(func() { close(p.closed) }) }

// conn is one end of a connection. Unlike net.Pipe's, writes do not wait for their reader unless he is far behind.
type conn struct {
	local, remote netip.AddrPort
	in, out       *pipe
	rest          []byte

	mu          sync.Mutex
	read, write time.Time // deadlines
}

// Stall makes whoever is at the other end of a connection of this package wait in its writes, as when nobody reads.
func Stall(c net.Conn) { c.(*conn).in.stalled.Store(true) }

// Reset ends a connection of this package as RST does: who reads at the other end is told of an error.
func Reset(c net.Conn) {
	c.(*conn).out.reset.Store(true)
	c.Close()
}

func (c *conn) Read(b []byte) (int, error) {
	if c.in.reset.Load() {
		return 0, syscall.ECONNRESET
	}

	if len(c.rest) == 0 {
		late, stop := c.late(&c.read)
		defer stop()

		select {
		case c.rest = <-c.in.queue:
		default:
			select {
			case c.rest = <-c.in.queue:
			case <-c.in.closed: // what was written before is still read
				if c.in.reset.Load() {
					return 0, syscall.ECONNRESET
				}

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

	queue := c.out.queue
	if c.out.stalled.Load() {
		queue = nil
	}

	late, stop := c.late(&c.write)
	defer stop()

	select {
	case queue <- append([]byte(nil), b...):
		return len(b), nil
	case <-c.out.closed:
		return 0, syscall.EPIPE
	case <-late:
		return 0, os.ErrDeadlineExceeded
	}
}

// late returns the channel of a deadline, and nil without one.
func (c *conn) late(deadline *time.Time) (late <-chan time.Time, stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if deadline.IsZero() {
		return nil, func() {}
	}

	timer := time.NewTimer(time.Until(*deadline))

	return timer.C, func() { timer.Stop() }
}

func (c *conn) Close() error {
	c.in.close()
	c.out.close()

	return nil
}

func (c *conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t

	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t

	return nil
}
