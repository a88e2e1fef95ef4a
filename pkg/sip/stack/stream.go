package stack

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// stream is one TCP connection of an endpoint.
type stream struct {
	endpoint *Endpoint
	conn     net.Conn
	flow     Flow
	dialled  bool // opened from here: the address at its other end takes connections
	writing  sync.Mutex
	carried  carried

	dismissed atomic.Bool // closed by Disconnect
}

func (s *Stack) acceptTCP(e *Endpoint) {
	for {
		conn, err := e.tcp.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}

			s.log.Warn("cannot accept a SIP connection", "endpoint", e.name, "cause", err)

			select { // out of file descriptors, most likely: that passes
			case <-s.ctx.Done():
				return
			case <-time.After(time.Second):
			}

			continue
		}

		if s.accepted.Load() >= int64(s.config.Limits.TCPConnections) {
			s.metrics.refused.WithLabelValues("connections").Inc()
			conn.Close()

			continue
		}

		remote := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
		remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())

		if !e.admit(remote.Addr()) {
			s.metrics.refused.WithLabelValues("connections of one source").Inc()
			conn.Close()

			continue
		}

		_, _ = e.adopt(conn, remote, true)
	}
}

// source returns the prefix that connections are counted by: an address of IPv4, or a /64 of IPv6, which one handset has to itself.
func source(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}

	return netip.PrefixFrom(a.WithZone(""), bits).Masked()
}

// admit counts a connection that a source opens, and reports false if the source has its share already: no source keeps the others out.
func (e *Endpoint) admit(a netip.Addr) bool {
	e.mu.Lock()
	defer e.mu.Unlock()

	if e.accepted[source(a)] >= e.stack.config.Limits.TCPPerSource {
		return false
	}

	e.accepted[source(a)]++

	return true
}

func (e *Endpoint) dismiss(a netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()

	if e.accepted[source(a)]--; e.accepted[source(a)] == 0 {
		delete(e.accepted, source(a))
	}
}

// adopt makes an open connection one of the endpoint's and reads from it until it ends.
func (e *Endpoint) adopt(conn net.Conn, remote netip.AddrPort, accepted bool) (*stream, error) {
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	c := &stream{endpoint: e, conn: conn, dialled: !accepted, flow: Flow{
		Endpoint: e, Transport: "TCP", Remote: remote, Local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
	}}

	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		conn.Close()

		if accepted {
			e.dismiss(remote.Addr())
		}

		return nil, errClosed
	}

	if other := e.connections[remote]; other != nil && !accepted { // two requests dialled at the same time
		e.mu.Unlock()
		conn.Close()

		return other, nil
	}

	e.connections[remote] = c
	e.mu.Unlock()

	s := e.stack
	s.streams.Add(1)

	if accepted {
		s.accepted.Add(1)
	}

	s.running.Go(func() {
		err := c.read()

		e.forget(c)
		conn.Close()
		c.carried.end(c, errDisconnected)
		s.streams.Add(-1)

		if accepted {
			s.accepted.Add(-1)
			e.dismiss(remote.Addr())
		}

		if err != nil && !errors.Is(err, io.EOF) && s.ctx.Err() == nil && !c.dismissed.Load() {
			s.about(c.flow).Warn("SIP connection ended", "cause", err)
		}
	})

	return c, nil
}

// forget removes a connection, so that no more messages are sent over it.
func (e *Endpoint) forget(c *stream) {
	e.mu.Lock()
	defer e.mu.Unlock()

	if e.connections[c.flow.Remote] == c {
		delete(e.connections, c.flow.Remote)
	}
}

func (c *stream) write(raw []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()

	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}

	if _, err := c.conn.Write(raw); err != nil {
		c.conn.Close() // a message cut in the middle ends the stream
		return err
	}

	return nil
}

// read takes messages off the stream until it ends.
func (c *stream) read() error {
	s := c.endpoint.stack
	limits := s.config.Limits
	reader := bufio.NewReaderSize(c.conn, 8<<10)

	idle, began := limits.TCPIdle, time.Time{}
	if !c.dialled { // the side that connects has something to say; until then keep-alives do not count
		idle, began = limits.TCPMessageTime, time.Now()
	}

	for {
		if err := c.skipKeepAlive(reader, idle, began); err != nil {
			if errors.Is(err, net.ErrClosed) || isTimeout(err) {
				return nil // idle
			}

			return err
		}

		if err := c.conn.SetReadDeadline(time.Now().Add(limits.TCPMessageTime)); err != nil {
			return err
		}

		raw, err := readMessage(reader, limits.MaxMessage)

		var parse *sip.ParseError

		switch {
		case err == nil:
			idle, began = limits.TCPIdle, time.Time{}

			s.receive(c.flow, raw)
		case errors.Is(err, errTooLarge):
			s.trace(c.flow, raw, false)
			s.malformed(c.flow, raw, err)

			if on, err := skip(reader, raw); !on { // within the time limit of a message
				return err
			}

			idle, began = limits.TCPIdle, time.Time{}
		case errors.As(err, &parse): // where the next message begins is unknown
			s.trace(c.flow, raw, false)
			s.malformed(c.flow, raw, err)

			return nil
		default:
			s.metrics.malformed.WithLabelValues(c.endpoint.name).Inc()
			return err
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error

	return errors.As(err, &timeout) && timeout.Timeout()
}

// skipKeepAlive skips the empty lines between messages and answers a ping of two with one (RFC 5626 §4.4.1). Each ping or pong restarts
// the idle time, unless the time is that of the first message, which began with the connection.
func (c *stream) skipKeepAlive(reader *bufio.Reader, idle time.Duration, began time.Time) error {
	lines := 0

	for renew := true; ; {
		if renew && reader.Buffered() == 0 { // else there is nothing to wait for
			since := began
			if since.IsZero() {
				since = time.Now()
			}

			if err := c.conn.SetReadDeadline(since.Add(idle)); err != nil {
				return err
			}

			renew = false
		}

		b, err := reader.ReadByte()
		if err != nil {
			return err
		}

		switch b {
		case '\r':
		case '\n':
			renew = true

			if lines++; lines == 2 {
				lines = 0

				if err := c.write([]byte("\r\n")); err != nil {
					return err
				}
			}
		default:
			return reader.UnreadByte()
		}
	}
}
