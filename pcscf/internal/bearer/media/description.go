package media

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

var errNoMedia = errors.New("the session description has no m-line")

// description is the part of a session description (RFC 8866) that matters to the access network.
type description struct{ lines []line }

// line is an m-line with the lines below it, and the values inherited from the session level.
type line struct {
	text       string // after "m="
	media      string
	port       uint16
	ports      int // port pairs
	proto      string
	formats    []string
	connected  bool       // it has a c-line
	address    netip.Addr // invalid: none, or a name
	bandwidth  map[string]*uint32
	attributes []attribute
}

type attribute struct{ name, value string }

// parse parses a description. Lines may stand in any order within their section, and what is not understood is skipped: only the ends that
// understand it can judge it wrong.
func parse(text []byte) (*description, error) {
	var (
		d       description
		session line
		at      = &session
	)

	for raw := range bytes.Lines(text) {
		field := strings.TrimRight(string(raw), "\r\n ")
		if len(field) < 2 || field[1] != '=' {
			continue
		}

		switch value := field[2:]; field[0] {
		case 'm':
			d.lines = append(d.lines, newLine(value))
			at = &d.lines[len(d.lines)-1]
		case 'c':
			at.connected, at.address = true, connection(value)
		case 'b':
			at.limit(value)
		case 'a':
			name, value, _ := strings.Cut(value, ":")
			at.attributes = append(at.attributes, attribute{name, strings.TrimSpace(value)})
		}
	}

	if len(d.lines) == 0 {
		return nil, errNoMedia
	}

	for i := range d.lines {
		d.lines[i].inherit(&session, len(d.lines) == 1)
	}

	return &d, nil
}

func newLine(text string) line {
	l := line{text: text}
	words := strings.Fields(text)

	if len(words) > 0 {
		l.media = strings.ToLower(words[0])
	}

	if len(words) > 2 { // without a protocol nobody can send to it
		port, pairs, _ := strings.Cut(words[1], "/")

		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			l.port = uint16(n)
		}

		l.ports, _ = strconv.Atoi(pairs)
		l.proto, l.formats = strings.ToUpper(words[2]), words[3:]
	}

	return l
}

// connection returns the address of a c-line, without the TTL of a multicast one.
func connection(value string) netip.Addr {
	words := strings.Fields(value)
	if len(words) != 3 || words[0] != "IN" {
		return netip.Addr{}
	}

	text, _, _ := strings.Cut(words[2], "/")
	address, _ := netip.ParseAddr(text)

	return address.Unmap().WithZone("")
}

// limit reads a b-line.
func (l *line) limit(value string) {
	kind, number, _ := strings.Cut(value, ":")

	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
	if err != nil {
		return
	}

	if l.bandwidth == nil {
		l.bandwidth = map[string]*uint32{}
	}

	l.bandwidth[kind] = new(uint32(n))
}

// inherit takes from the session level what the m-line does not set itself. The session's bandwidth covers all m-lines together: it is
// attributed only when there is a single one.
func (l *line) inherit(session *line, alone bool) {
	if !l.connected {
		l.address = session.address
	}

	if _, found := l.direction(); !found {
		if name, found := session.direction(); found {
			l.attributes = append(slices.Clip(l.attributes), attribute{name: name})
		}
	}

	for _, kind := range []string{"AS", "TIAS"} {
		if l.bandwidth["AS"] == nil && l.bandwidth["TIAS"] == nil && alone && session.bandwidth[kind] != nil {
			l.bandwidth = map[string]*uint32{kind: session.bandwidth[kind], "RS": l.bandwidth["RS"], "RR": l.bandwidth["RR"]}
		}
	}

	for _, kind := range []string{"RS", "RR"} { // for each m-line of the session (RFC 3556 §2)
		if l.bandwidth[kind] == nil && session.bandwidth[kind] != nil {
			if l.bandwidth == nil {
				l.bandwidth = map[string]*uint32{}
			}

			l.bandwidth[kind] = session.bandwidth[kind]
		}
	}
}

func (l *line) attribute(name string) (value string, found bool) {
	for _, a := range l.attributes {
		if a.name == name {
			return a.value, true
		}
	}

	return "", false
}

func (l *line) direction() (string, bool) {
	for _, name := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
		if _, found := l.attribute(name); found {
			return name, true
		}
	}

	return "sendrecv", false
}

func (l *line) sends() bool {
	name, _ := l.direction()
	return name == "sendrecv" || name == "sendonly"
}

// receives reports whether this end receives. 0.0.0.0 means that it does not: hold was written so before there were directions (RFC 3264
// §8.4).
func (l *line) receives() bool {
	name, _ := l.direction()
	return (name == "sendrecv" || name == "recvonly") && !l.address.IsUnspecified()
}

func (l *line) kind() Kind {
	if kind := Kind(strings.ToUpper(l.media)); slices.Contains(Kinds, kind) {
		return kind
	}

	return Other
}

// rtp reports whether a profile is RTP over UDP: "RTP/AVP", "UDP/TLS/RTP/SAVPF" and the like.
func (l *line) rtp() bool {
	return strings.HasPrefix(l.proto, "RTP/") || strings.HasPrefix(l.proto, "UDP/") && strings.Contains(l.proto, "/RTP/")
}

func (l *line) protocol() uint8 {
	switch {
	case l.rtp(), l.proto == "UDP", l.proto == "UDPTL", strings.HasPrefix(l.proto, "UDP/"):
		return udp
	case l.proto == "TCP", strings.HasPrefix(l.proto, "TCP/"):
		return tcp
	default:
		return 0
	}
}

// opens reports whether this end opens the connection (RFC 4145 §4).
func (l *line) opens() bool {
	setup, _ := l.attribute("setup")
	return setup == "active"
}

func (l *line) muxed() bool {
	_, found := l.attribute("rtcp-mux")
	return found
}

// last returns the last port of a range of several port pairs, RTCP included; 0 for one pair.
func (l *line) last() uint16 {
	if l.ports < 2 {
		return 0
	}

	return uint16(min(int(l.port)+2*l.ports-1, 65535))
}

// rtcp returns where this end takes RTCP: the port above RTP's, or that of a=rtcp (RFC 3605).
func (l *line) rtcp(address netip.Addr) (netip.Addr, uint16) {
	value, _ := l.attribute("rtcp")
	words := strings.Fields(value)

	if len(words) > 0 {
		if port, err := strconv.ParseUint(words[0], 10, 16); err == nil && port > 0 {
			if len(words) == 4 {
				if other := connection(strings.Join(words[1:], " ")); other.IsValid() && !other.IsUnspecified() {
					address = other
				}
			}

			return address, uint16(port)
		}
	}

	if l.port == 65535 {
		return address, l.port
	}

	return address, l.port + 1
}

// unneeded lists attributes that the direction and bandwidth state already, and those that do not concern the access network: keys and
// candidates.
var unneeded = []string{
	"sendrecv", "sendonly", "recvonly", "inactive", "bw-info", "crypto", "key-mgmt", "fingerprint",
	"candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options",
}

// maxCodec bounds the octets of one m-line's attributes that are sent.
const maxCodec = 4096

// codec returns the m-line with its attributes, and the bandwidth in TIAS (TS 29.214 §5.3.7).
func (l *line) codec() []string {
	if len(l.text) > maxCodec {
		return nil
	}

	lines, room := []string{"m=" + l.text}, maxCodec

	if tias := l.bandwidth["TIAS"]; tias != nil {
		lines = append(lines, "b=TIAS:"+strconv.FormatUint(uint64(*tias), 10))
	}

	for _, a := range l.attributes {
		if slices.Contains(unneeded, a.name) {
			continue
		}

		text := "a=" + a.name
		if a.value != "" {
			text += ":" + a.value
		}

		if room -= len(text); room < 0 {
			break
		}

		lines = append(lines, text)
	}

	return lines
}
