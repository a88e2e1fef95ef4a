package handset

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// encoding is an encoding that the handset supports, as an rtpmap names it, with its payload type in the handset's own offers.
type encoding struct {
	name    string // "AMR-WB/16000"
	payload int
	format  string // fmtp, or ""
}

// encodings are those of VoLTE handsets (TS 26.114 §5.2.1), and those of every soft phone, the most preferred first.
var encodings = []encoding{
	{"EVS/16000", 106, "br=5.9-24.4;bw=nb-swb"},
	{"AMR-WB/16000", 104, "mode-change-capability=2"},
	{"AMR-WB/16000", 110, "octet-align=1"},
	{"AMR/8000", 102, "mode-change-capability=2"},
	{"AMR/8000", 108, "octet-align=1"},
	{"PCMU/8000", 0, ""},
	{"PCMA/8000", 8, ""},
	{"telephone-event/16000", 101, "0-15"},
	{"telephone-event/8000", 100, "0-15"},
}

// static holds payload types that need no rtpmap (RFC 3551 §6).
var static = map[string]string{"0": "PCMU/8000", "8": "PCMA/8000"}

// has reports whether the handset supports an encoding, given with its channels or without, and whether it carries speech.
func has(rtpmap string) (known, voice bool) {
	name := strings.TrimSuffix(strings.ToLower(rtpmap), "/1")

	for _, e := range encodings {
		if strings.ToLower(e.name) == name {
			return true, !strings.HasPrefix(e.name, "telephone-event")
		}
	}

	return false, false
}

const audioPort = 49152 // where media would go: the handset has none

// head writes the beginning of a description; version counts its changes (RFC 3264 §8).
func head(b *bytes.Buffer, at netip.Addr, version uint64) {
	family := "IP4"
	if at.Is6() {
		family = "IP6"
	}

	fmt.Fprintf(b, "v=0\r\no=- 1 %d IN %s %s\r\ns=-\r\nc=IN %[2]s %[3]s\r\nt=0 0\r\n", version, family, at)
}

// offer returns an offer of every encoding of the handset (RFC 3264 §5).
func offer(at netip.Addr, version uint64) []byte {
	var b, attributes bytes.Buffer
	head(&b, at, version)
	fmt.Fprintf(&b, "m=audio %d RTP/AVP", audioPort)

	for _, e := range encodings {
		fmt.Fprintf(&b, " %d", e.payload)
		fmt.Fprintf(&attributes, "a=rtpmap:%d %s\r\n", e.payload, e.name)

		if e.format != "" {
			fmt.Fprintf(&attributes, "a=fmtp:%d %s\r\n", e.payload, e.format)
		}
	}

	b.WriteString("\r\n")
	b.Write(attributes.Bytes())
	b.WriteString("a=sendrecv\r\n")

	return b.Bytes()
}

// answer returns the answer to an offer: the first audio stream, with the encodings that the handset supports, in the offered order with
// the offered payload types and parameters (RFC 3264 §6). ok is false if there is nothing to talk in.
func answer(offered []byte, at netip.Addr, version uint64) (text []byte, ok bool) {
	session, media := sections(offered)

	var b bytes.Buffer
	head(&b, at, version)

	for _, m := range media {
		taken := false
		if !ok {
			taken = m.accept(&b, session.direction())
			ok = taken
		}

		if !taken {
			fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.kind, m.transport, m.payloads[0])
		}
	}

	return b.Bytes(), ok
}

// section is the session part of a description, or one of its streams.
type section struct {
	kind, port, transport string
	payloads              []string // at least one
	attributes            []string // without "a="
}

// sections returns the parts of a description. Streams that cannot be parsed are left out.
func sections(text []byte) (session section, media []section) {
	current := &session

	for line := range bytes.Lines(text) {
		kind, value, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), "=")

		switch kind {
		case "m":
			fields := strings.Fields(value)
			if len(fields) < 4 {
				current = &section{}
				continue
			}

			media = append(media, section{kind: fields[0], port: fields[1], transport: fields[2], payloads: fields[3:]})
			current = &media[len(media)-1]
		case "a":
			current.attributes = append(current.attributes, value)
		}
	}

	return session, media
}

// direction returns the direction that the other side wants for media, or "".
func (s *section) direction() string {
	for _, a := range s.attributes {
		switch a {
		case "sendrecv", "sendonly", "recvonly", "inactive":
			return a
		}
	}

	return ""
}

// attribute returns the value of an attribute for a payload type: a=rtpmap:PAYLOAD VALUE.
func (s *section) attribute(name, payload string) string {
	for _, a := range s.attributes {
		if value, found := strings.CutPrefix(a, name+":"+payload+" "); found {
			return strings.TrimSpace(value)
		}
	}

	return ""
}

// answered maps offered directions to answered ones (RFC 3264 §6.1).
var answered = map[string]string{"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}

// accept writes the answer to a stream, if the handset can accept it.
func (s *section) accept(b *bytes.Buffer, direction string) bool {
	if s.kind != "audio" || s.port == "0" || s.transport != "RTP/AVP" && s.transport != "RTP/AVPF" {
		return false
	}

	var (
		payloads   []string
		attributes bytes.Buffer
		speaks     bool
	)

	for _, payload := range s.payloads {
		rtpmap := s.attribute("rtpmap", payload)
		if rtpmap == "" {
			rtpmap = static[payload]
		}

		known, voice := has(rtpmap)
		if !known {
			continue
		}

		speaks = speaks || voice
		payloads = append(payloads, payload)
		fmt.Fprintf(&attributes, "a=rtpmap:%s %s\r\n", payload, rtpmap)

		if format := s.attribute("fmtp", payload); format != "" {
			fmt.Fprintf(&attributes, "a=fmtp:%s %s\r\n", payload, format)
		}
	}

	if !speaks {
		return false
	}

	if own := s.direction(); own != "" {
		direction = own
	}

	back, found := answered[direction]
	if !found {
		back = "sendrecv"
	}

	fmt.Fprintf(b, "m=audio %d %s %s\r\n%sa=%s\r\n", audioPort, s.transport, strings.Join(payloads, " "), attributes.Bytes(), back)

	return true
}

// describe returns the handset's session description: the answer to the offer in a request, or an offer if it has none. It is nil if they
// have nothing in common.
func (c *Call) describe(r *sip.Request) []byte {
	version, at := c.version.Add(1), c.handset.Address().Addr()

	offered := ifc.SessionDescription(sip.Value(r, "Content-Type"), r.Body())
	if offered == nil {
		return offer(at, version)
	}

	text, ok := answer(offered, at, version)
	if !ok {
		return nil
	}

	return text
}
