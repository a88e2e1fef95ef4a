package sip

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// stream is one TCP connection of an endpoint.
type stream struct {
	endpoint *Endpoint
	conn     net.Conn
	flow     Flow
	writing  sync.Mutex
	carried  carried
}

func (s *Stack) acceptTCP(e *Endpoint) {
	for {
		conn, err := e.tcp.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}

			s.log.Warn("cannot accept a SIP connection", "endpoint", e.name, "error", err)

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
		_, _ = e.adopt(conn, netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()), true)
	}
}

// adopt makes an open connection one of the endpoint's and reads from it until it ends.
func (e *Endpoint) adopt(conn net.Conn, remote netip.AddrPort, accepted bool) (*stream, error) {
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	c := &stream{endpoint: e, conn: conn, flow: Flow{
		Endpoint: e, Transport: "TCP", Remote: remote, Local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
	}}

	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		conn.Close()

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

		e.mu.Lock()
		if e.connections[remote] == c {
			delete(e.connections, remote)
		}
		e.mu.Unlock()
		conn.Close()
		c.carried.end(errDisconnected)
		s.streams.Add(-1)

		if accepted {
			s.accepted.Add(-1)
		}

		if err != nil && !errors.Is(err, io.EOF) && s.ctx.Err() == nil {
			s.complain(c.flow, "SIP connection ended", "reason", err)
		}
	})

	return c, nil
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

// read takes messages off the stream (RFC 3261 §18.3: Content-Length says where one ends).
func (c *stream) read() error {
	s := c.endpoint.stack
	limits := s.config.Limits
	reader := bufio.NewReaderSize(c.conn, 8<<10)

	for {
		if err := c.conn.SetReadDeadline(time.Now().Add(limits.TCPIdle)); err != nil {
			return err
		}

		if err := c.skipKeepAlive(reader); err != nil {
			if errors.Is(err, net.ErrClosed) || isTimeout(err) {
				return nil // idle
			}

			return err
		}

		if err := c.conn.SetReadDeadline(time.Now().Add(limits.TCPMessageTime)); err != nil {
			return err
		}

		raw, err := readMessage(reader, limits.MaxMessage)
		if err != nil {
			s.metrics.malformed.WithLabelValues(c.endpoint.name).Inc()
			return err
		}

		s.receive(c.flow, raw)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error

	return errors.As(err, &timeout) && timeout.Timeout()
}

// skipKeepAlive passes over the empty lines between messages and answers a ping of two with one (RFC 5626 §3.5.1).
func (c *stream) skipKeepAlive(reader *bufio.Reader) error {
	crlf := 0

	for {
		b, err := reader.ReadByte()
		if err != nil {
			return err
		}

		switch b {
		case '\r':
		case '\n':
			if crlf++; crlf == 2 {
				crlf = 0

				if err := c.write([]byte("\r\n")); err != nil {
					return err
				}
			}
		default:
			return reader.UnreadByte()
		}
	}
}

// readMessage takes one message of at most max octets.
func readMessage(reader *bufio.Reader, max int) ([]byte, error) {
	var raw []byte

	for {
		line, err := reader.ReadSlice('\n')
		raw = append(raw, line...)

		switch {
		case len(raw) > max:
			return nil, fmt.Errorf("the headers have more than %d octets", max)
		case errors.Is(err, bufio.ErrBufferFull):
			continue // a long line
		case err != nil:
			return nil, err
		}

		if bytes.HasSuffix(raw, []byte("\r\n\r\n")) {
			break
		}
	}

	length, err := contentLength(raw)
	if err != nil {
		return nil, err
	}

	if length > max-len(raw) { // not a sum: that may overflow
		return nil, fmt.Errorf("the message has more than %d octets", max)
	}

	headers := len(raw)
	raw = append(raw, make([]byte, length)...)
	_, err = io.ReadFull(reader, raw[headers:])

	return raw, err
}

// contentLength finds the Content-Length of a message whose headers are complete; a stream has no other way to end a body.
func contentLength(headers []byte) (int, error) {
	found := -1

	for line := range bytes.Lines(headers) {
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}

		if name = bytes.TrimSpace(name); !bytes.EqualFold(name, []byte("Content-Length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}

		length, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || length < 0 {
			return 0, fmt.Errorf("Content-Length %q", bytes.TrimSpace(value))
		}

		if found >= 0 && found != length {
			return 0, errors.New("two different Content-Length headers")
		}

		found = length
	}

	if found < 0 {
		return 0, errors.New("no Content-Length on a stream")
	}

	return found, nil
}
