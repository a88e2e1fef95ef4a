package trace

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
)

// Types and flags of frames of HTTP/2 (RFC 9113 §6).
const (
	frameData     = 0
	frameHeaders  = 1
	frameSettings = 4
	endStream     = 1
	endHeaders    = 4

	maxFrame = 1 << 14 // octets of a frame
)

// preface begins a connection (RFC 9113 §3.4): by it Wireshark knows what follows.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// connection names both directions.
type connection struct{ one, other netip.AddrPort }

// frames returns a message of HTTP as frames of HTTP/2 that can be read without those before it, and the preface in front of the first
// ones of a connection.
func (p *packetWriter) frames(m Message, way direction) (begin, frames []byte) {
	key := connection{way.from, way.to}
	if way.to.Compare(way.from) < 0 {
		key = connection{way.to, way.from}
	}

	if len(p.begun) >= maxFlows {
		clear(p.begun)
	}

	if !p.begun[key] {
		p.begun[key] = true
		begin = append([]byte(preface), frame(frameSettings, 0, 0, nil)...)
	}

	head, body, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	fields := pseudo(lines[0])

	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if name = strings.ToLower(name); name == "host" {
			name = ":authority"
			fields = append(field(name, value), fields...) // before the others (RFC 9113 §8.3)

			continue
		}

		fields = append(fields, field(name, value)...)
	}

	stream := uint32(2*m.Exchange-1) & 0x7FFFFFFF // a client's are odd

	flags := byte(endHeaders)
	if len(body) == 0 {
		flags |= endStream
	}

	frames = frame(frameHeaders, flags, stream, fields)

	for len(body) > 0 {
		part := body[:min(len(body), maxFrame)]
		body = body[len(part):]
		flags = 0

		if len(body) == 0 {
			flags = endStream
		}

		frames = append(frames, frame(frameData, flags, stream, part)...)
	}

	return begin, frames
}

// pseudo returns the pseudo-header fields of a start line (RFC 9113 §8.3).
func pseudo(start string) []byte {
	first, rest, _ := strings.Cut(start, " ")
	second, _, _ := strings.Cut(rest, " ")

	if strings.HasPrefix(first, "HTTP/") {
		return field(":status", second)
	}

	return append(append(field(":method", first), field(":scheme", "http")...), field(":path", second)...)
}

// field returns a field as a literal that no table keeps (RFC 7541 §6.2.2).
func field(name, value string) []byte {
	b := []byte{0}

	for _, text := range []string{name, value} {
		b = append(length(b, len(text)), text...)
	}

	return b
}

// length appends the length of a text (RFC 7541 §5.1, with a prefix of seven bits).
func length(b []byte, n int) []byte {
	const most = 1<<7 - 1

	if n < most {
		return append(b, byte(n))
	}

	b = append(b, most)

	for n -= most; n >= 1<<7; n >>= 7 {
		b = append(b, byte(n)|1<<7)
	}

	return append(b, byte(n))
}

// frame returns one frame (RFC 9113 §4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))

	return append(binary.BigEndian.AppendUint32(append(b, flags), stream), payload...)
}
