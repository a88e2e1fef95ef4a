package stack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/trace"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// chopped is a connection that delivers octets in pieces of these sizes, and then ends.
type chopped struct {
	net.Conn
	left, pieces []byte
	read         int
	written      bytes.Buffer
}

func (c *chopped) Read(b []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}

	n := len(c.left)
	if len(c.pieces) > 0 {
		n = min(n, 1+int(c.pieces[0]))
		c.pieces = append(c.pieces[1:], c.pieces[0])
	}

	n = copy(b, c.left[:min(n, len(b))])
	c.left, c.read = c.left[n:], c.read+n

	return n, nil
}

func (c *chopped) Write(b []byte) (int, error)      { return c.written.Write(b) }
func (c *chopped) Close() error                     { return nil }
func (c *chopped) SetReadDeadline(time.Time) error  { return nil }
func (c *chopped) SetWriteDeadline(time.Time) error { return nil }

// nowhere is a network that nothing leaves.
type nowhere struct{ Network }

func (nowhere) Dial(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) {
	return nil, errors.New("nowhere")
}

// rfc4475 returns the torture messages as seeds.
func rfc4475(f *testing.F) (all [][]byte) {
	files, err := filepath.Glob("../testdata/rfc4475/*.dat")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}

	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}

		all = append(all, raw)
	}

	return all
}

const smallest = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP b;branch=z9hG4bKx\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:a>\r\nCall-ID: x\r\n" +
	"CSeq: 1 OPTIONS\r\n"

var tags = regexp.MustCompile(`;tag=[^;\r\n]*`) // the stack's own are random

// FuzzStream: the messages of a stream are its octets in order with nothing but empty lines between, whatever pieces they come in; none
// is larger than the limit, and no more is read than the allowance ahead.
func FuzzStream(f *testing.F) {
	const most, ahead = 1500, 8 << 10

	for _, raw := range rfc4475(f) {
		f.Add(raw, []byte{0})
		f.Add(append(raw, raw...), []byte{6, 200, 1})
	}

	for _, seed := range []string{
		"\r\n\r\n\r\n\r\n" + smallest + "Content-Length: 3\r\n\r\nabc\r\n\r\n" + smallest + "l:\r\n 0\r\n\r\n",
		smallest + "\r\n",
		smallest + "Content-Length: 99999\r\n\r\n",
		smallest + "Content-Length: 1600\r\n\r\n" + string(bytes.Repeat([]byte("y"), 1600)) + smallest + "Content-Length: 0\r\n\r\n",
		smallest + "Subject: x\r\n Content-Length: 9\r\nContent-Length: 0\r\n\r\nBYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n",
		smallest + "X: " + string(bytes.Repeat([]byte("y"), 2*ahead)),
	} {
		f.Add([]byte(seed), []byte{2, 0})
	}

	f.Fuzz(func(t *testing.T, raw, pieces []byte) {
		whole, answers := streamed(t, raw, nil, most, ahead)
		parts, others := streamed(t, raw, pieces, most, ahead)

		if len(whole) != len(parts) {
			t.Fatalf("%d messages whole, %d in pieces", len(whole), len(parts))
		}

		for i := range whole {
			if !bytes.Equal(whole[i], parts[i]) {
				t.Errorf("message %d is %q whole, %q in pieces", i, whole[i], parts[i])
			}
		}

		if answers != others {
			t.Errorf("%q is answered whole, %q in pieces", answers, others)
		}
	})
}

// streamed returns the messages that a stack takes from such a connection, and its answers.
func streamed(t *testing.T, raw, pieces []byte, most, ahead int) (messages [][]byte, answers string) {
	config := DefaultConfig()
	config.Limits.MaxMessage = most

	s, err := New(config, answering{}, Options{
		Network: nowhere{},
		Screen:  func(Flow, sip.Message) error { return errors.New("seen") },
		Tap: func(m trace.Message) {
			if !m.Sent {
				messages = append(messages, m.Data)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()

	remote := netip.MustParseAddrPort("192.0.2.9:4000")
	conn := &chopped{left: raw, pieces: bytes.Clone(pieces)}
	e := &Endpoint{name: "Mw", stack: s, address: netip.MustParseAddrPort("192.0.2.1:5060"), connections: map[netip.AddrPort]*stream{}}
	c := &stream{endpoint: e, conn: conn, flow: Flow{Endpoint: e, Transport: "TCP", Local: e.address, Remote: remote}}
	e.connections[remote] = c

	_ = c.read()

	position := 0

	for i, m := range messages {
		if len(m) > most {
			t.Errorf("message %d has %d octets", i, len(m))
		}

		for position < len(raw) && (raw[position] == '\r' || raw[position] == '\n') {
			position++
		}

		if !bytes.HasPrefix(raw[position:], m) {
			t.Fatalf("message %d is %q, where %q comes", i, m, raw[position:])
		}

		position += len(m)

		if length, err := contentLength(m); err == nil && bytes.HasSuffix(m, []byte("\r\n\r\n")) && length > most-len(m) && length <= maxSkipped {
			position = min(position+length, len(raw)) // skipped
		}
	}

	rest := raw[position:]
	for len(rest) > 0 && (rest[0] == '\r' || rest[0] == '\n') {
		rest = rest[1:]
	}

	if conn.read > len(raw)-len(rest)+most+ahead {
		t.Errorf("%d octets are read, of which the messages have %d", conn.read, position)
	}

	return messages, tags.ReplaceAllString(conn.written.String(), "")
}

// thrown is a socket that keeps what is sent over it.
type thrown struct {
	PacketConn
	sent [][]byte
	to   []netip.AddrPort
}

func (p *thrown) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	p.sent, p.to = append(p.sent, bytes.Clone(b)), append(p.to, to)

	return len(b), nil
}

func (p *thrown) Close() error { return nil }

// FuzzDatagram: each datagram is a keep-alive, or refused, or a request or a response; an answer is a response to its source, and what is
// kept of it ends with the stack.
func FuzzDatagram(f *testing.F) {
	for _, raw := range rfc4475(f) {
		f.Add(raw)
	}

	for _, seed := range []string{
		"",
		"\r\n\r\n",
		"\x00\x00\x00\x00",
		smallest + "\r\n",
		smallest + "Content-Length: 9\r\n\r\n",
		"SIP/2.0 200 OK\r\n\r\n",
		string(bytes.Repeat([]byte("x"), 2000)),
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		config := DefaultConfig()
		config.Limits.MaxMessage = 1500
		taken := 0

		s, err := New(config, answering{}, Options{Network: nowhere{}, Screen: func(Flow, sip.Message) error { taken++; return nil }})
		if err != nil {
			t.Fatal(err)
		}

		socket := &thrown{}
		flow := Flow{Endpoint: &Endpoint{name: "Mw", stack: s, udp: socket}, Transport: "UDP", Remote: netip.MustParseAddrPort("192.0.2.9:4000")}
		before := bytes.Clone(raw)

		s.datagram(flow, raw)

		for i := range raw {
			raw[i] = 0xff // as the next datagram will
		}

		s.running.Wait()
		s.close()

		_, err = sip.ParseMessage(before)
		empty := len(bytes.Trim(before, "\r\n\x00")) == 0

		if good := err == nil && !empty && len(before) <= 1500; good != (taken == 1) || taken > 1 {
			t.Errorf("%q was taken %d times: %v", before, taken, err)
		}

		if empty && len(socket.sent) > 0 || len(socket.sent) > 2 {
			t.Errorf("%d messages are sent for %q", len(socket.sent), before)
		}

		for i, answer := range socket.sent {
			if !bytes.HasPrefix(answer, []byte("SIP/2.0 ")) || socket.to[i].Addr() != flow.Remote.Addr() {
				t.Errorf("%q goes to %s", answer, socket.to[i])
			}
		}

		if s.transactions.len() != 0 {
			t.Errorf("%d transactions are left", s.transactions.len())
		}
	})
}
