package ifc

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// trigger is a service point trigger, compiled.
type trigger struct {
	negated bool
	holds   func(Request) bool
}

// compileTrigger compiles the one kind of an SPT (TS 29.228 annex B.2.3, annex F).
func (c *compiler) compileTrigger(spt SPT) (trigger, error) {
	t := trigger{negated: spt.ConditionNegated == 1}

	kinds := 0
	for _, there := range [...]bool{
		spt.RequestURI != nil,
		spt.Method != nil,
		spt.SIPHeader != nil,
		spt.SessionCase != nil,
		spt.SessionDescription != nil,
	} {
		if there {
			kinds++
		}
	}

	if kinds != 1 {
		return t, fmt.Errorf("a trigger of %d kinds", kinds)
	}

	var err error

	switch {
	case spt.RequestURI != nil:
		t.holds, err = c.requestURI(*spt.RequestURI)
	case spt.Method != nil:
		t.holds, err = method(strings.TrimSpace(*spt.Method), spt.Extension)
	case spt.SIPHeader != nil:
		t.holds, err = c.header(spt.SIPHeader)
	case spt.SessionCase != nil:
		t.holds, err = sessionCase(*spt.SessionCase)
	case spt.SessionDescription != nil:
		t.holds, err = c.description(spt.SessionDescription)
	}

	return t, err
}

func (c *compiler) requestURI(text string) (func(Request) bool, error) {
	expression, err := c.expression(text)
	if err != nil {
		return nil, fmt.Errorf("RequestURI: %w", err)
	}

	return func(r Request) bool { return expression.MatchString(r.RequestURI()) }, nil
}

// method compiles a method trigger; a registration type restricts REGISTER only (TS 29.228 annex B.2.3).
func method(name string, extension *TriggerExtension) (func(Request) bool, error) {
	if name == "" {
		return nil, errors.New("an empty Method")
	}

	if name != "REGISTER" || extension == nil || len(extension.RegistrationTypes) == 0 {
		return func(r Request) bool { return r.Method() == name }, nil
	}

	types := extension.RegistrationTypes

	for _, kind := range types {
		if kind < InitialRegistration || kind > DeRegistration {
			return nil, fmt.Errorf("RegistrationType %d", kind)
		}
	}

	return func(r Request) bool { return r.Method() == name && slices.Contains(types, r.RegistrationType()) }, nil
}

func sessionCase(wanted SessionCase) (func(Request) bool, error) {
	if wanted < Originating || wanted > OriginatingCDIV {
		return nil, fmt.Errorf("SessionCase %d", wanted)
	}

	return func(r Request) bool { return r.SessionCase() == wanted }, nil
}

// header compiles a header trigger. The name may itself be an expression (TS 29.228 annex F), though it nearly always is a plain name; case
// does not matter. The trigger holds if one field of that name has a matching value; without Content, if there is any such field. So the
// negated trigger holds for a request without the header.
func (c *compiler) header(h *HeaderTrigger) (func(Request) bool, error) {
	name := strings.TrimSpace(h.Header)
	if name == "" {
		return nil, errors.New("a SIPHeader without Header")
	}

	content, err := c.optional(h.Content)
	if err != nil {
		return nil, fmt.Errorf("SIPHeader %s: %w", clip(name), err)
	}

	if isToken(name) {
		return func(r Request) bool {
			s := scans.Get().(*headerScan)
			defer s.release()

			return s.values(r, name, content)
		}, nil
	}

	names, err := c.expression("(?i)^(" + name + ")$")
	if err != nil {
		return nil, fmt.Errorf("SIPHeader: %w", err)
	}

	return func(r Request) bool {
		s := scans.Get().(*headerScan)
		defer s.release()

		return s.named(r, names, content)
	}, nil
}

// headerScan is the state of a trigger while it scans headers. It is reused, because functions passed to an interface would otherwise be
// allocated each time.
type headerScan struct {
	request        Request
	names, content *regexp.Regexp
	found          bool
	onName, onText func(string) bool
}

var scans = sync.Pool{New: func() any {
	s := new(headerScan)
	s.onName, s.onText = s.name, s.text

	return s
}}

func (s *headerScan) release() {
	s.request, s.names, s.content, s.found = nil, nil, nil, false
	scans.Put(s)
}

func (s *headerScan) values(r Request, name string, content *regexp.Regexp) bool {
	s.content = content
	r.EachHeader(name, s.onText)

	return s.found
}

func (s *headerScan) named(r Request, names, content *regexp.Regexp) bool {
	s.request, s.names, s.content = r, names, content
	r.EachHeaderName(s.onName)

	return s.found
}

func (s *headerScan) name(name string) bool {
	if s.names.MatchString(name) {
		s.request.EachHeader(name, s.onText)
	}

	return !s.found
}

func (s *headerScan) text(value string) bool {
	s.found = s.content == nil || s.content.MatchString(value)
	return !s.found
}

// description compiles an SDP trigger: Line is an expression for the type of an SDP line, Content one for the text after its "=".
func (c *compiler) description(d *DescriptionTrigger) (func(Request) bool, error) {
	line := strings.TrimSuffix(strings.TrimSpace(d.Line), "=")
	if line == "" {
		return nil, errors.New("a SessionDescription without Line")
	}

	content, err := c.optional(d.Content)
	if err != nil {
		return nil, fmt.Errorf("SessionDescription %s: %w", clip(line), err)
	}

	if len(line) == 1 && isToken(line) {
		return func(r Request) bool {
			return eachLine(r.SDP(), func(kind, rest []byte) bool {
				return kind[0] == line[0] && len(kind) == 1 && (content == nil || content.Match(rest))
			})
		}, nil
	}

	lines, err := c.expression("^(" + line + ")$")
	if err != nil {
		return nil, fmt.Errorf("SessionDescription: %w", err)
	}

	return func(r Request) bool {
		return eachLine(r.SDP(), func(kind, rest []byte) bool {
			return lines.Match(kind) && (content == nil || content.Match(rest))
		})
	}, nil
}

// eachLine reports whether has is true for some line of an SDP (RFC 8866 §5: lines end with CRLF, or with LF as a parser should allow).
func eachLine(sdp []byte, has func(kind, rest []byte) bool) bool {
	for len(sdp) > 0 {
		line := sdp

		if end := bytes.IndexByte(sdp, '\n'); end >= 0 {
			line, sdp = sdp[:end], sdp[end+1:]
		} else {
			sdp = nil
		}

		line = bytes.TrimSuffix(line, []byte{'\r'})

		if at := bytes.IndexByte(line, '='); at > 0 && has(line[:at], line[at+1:]) {
			return true
		}
	}

	return false
}

func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}

	return true
}
