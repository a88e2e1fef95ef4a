package sip

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// compact has the compact names of RFC 3261 §7.3.3, and of the extensions that have one.
var compact = map[string]string{
	"call-id": "i", "contact": "m", "content-encoding": "e", "content-length": "l", "content-type": "c", "from": "f",
	"subject": "s", "supported": "k", "to": "t", "via": "v", "event": "o", "allow-events": "u", "refer-to": "r",
	"referred-by": "b", "accept-contact": "a", "reject-contact": "j", "request-disposition": "d", "session-expires": "x",
	"identity": "y",
}

// single has the header fields whose value is not a list: a comma in them does not separate.
var single = map[string]bool{
	"authorization": true, "proxy-authorization": true, "www-authenticate": true, "proxy-authenticate": true, "date": true,
	"subject": true, "user-agent": true, "server": true, "organization": true, "call-id": true, "from": true, "to": true,
	"retry-after": true, "p-charging-vector": true, "p-charging-function-addresses": true,
}

// is reports whether a header field has this name, long or compact, in any case. name must be in lower case.
func is(h Header, name string) bool {
	n := h.Name()
	if len(n) == 1 {
		return strings.EqualFold(n, compact[name])
	}

	return equalFold(n, name)
}

// Values returns all values of a header field in order, with lists split; the name in the message may be long or compact.
func Values(m Message, name string) []string {
	name = strings.ToLower(name)

	var all []string

	for _, h := range headersOf(m) {
		if !is(h, name) {
			continue
		}

		if single[name] {
			all = append(all, h.Value())
		} else {
			all = grammar.AppendList(all, h.Value())
		}
	}

	return all
}

// EachField calls yield with the whole value of each field of a header, lists unsplit, until yield returns false. It does not allocate
// when name is in lower case.
func EachField(m Message, name string, yield func(value string) bool) {
	name = strings.ToLower(name)

	for _, h := range headersOf(m) {
		if is(h, name) && !yield(h.Value()) {
			return
		}
	}
}

// LongName returns the long form of a header field name, which may be compact.
func LongName(name string) string {
	if len(name) == 1 {
		for long, short := range compact {
			if strings.EqualFold(short, name) {
				return long
			}
		}
	}

	return name
}

// Value returns the first of Values, or "".
func Value(m Message, name string) string {
	name = strings.ToLower(name)

	for _, h := range headersOf(m) {
		if !is(h, name) {
			continue
		}

		if single[name] {
			return h.Value()
		}

		for value := range grammar.List(h.Value()) {
			return value
		}
	}

	return ""
}

// ValueParams returns the first of Values without its parameters, and the parameters: for Event, Content-Type, Session-Expires and the
// like (RFC 3261 §7.3.1). A value that cannot be read is "", as a missing one is.
func ValueParams(m Message, name string) (value string, params Params) {
	text := Value(m, name)
	if text == "" {
		return "", nil
	}

	value, params, err := grammar.ParseValue(text)
	if err != nil {
		return "", nil
	}

	return value, params
}

// Has reports whether the message has a header field of this name.
func Has(m Message, name string) bool {
	name = strings.ToLower(name)

	for _, h := range headersOf(m) {
		if is(h, name) {
			return true
		}
	}

	return false
}

// HasToken reports whether a list header such as Supported or Require names an option, in any case.
func HasToken(m Message, name, token string) bool {
	for _, value := range Values(m, name) {
		if strings.EqualFold(value, token) {
			return true
		}
	}

	return false
}

// Remove removes every instance of the named header fields, whether their names are long or compact.
func Remove(m Message, names ...string) {
	for _, name := range names {
		name = strings.ToLower(name)

		for {
			found := ""
			for _, h := range headersOf(m) {
				if is(h, name) {
					found = h.Name()
					break
				}
			}

			if found == "" {
				break
			}

			remove(m, found)
		}
	}
}

// RemoveFunc removes every header field whose name, as written, is unwanted.
func RemoveFunc(m Message, unwanted func(name string) bool) {
	var found []string

	for _, h := range headersOf(m) {
		if unwanted(h.Name()) {
			found = append(found, h.Name())
		}
	}

	for _, name := range found {
		remove(m, name)
	}
}

func remove(m Message, exact string) {
	switch m := m.(type) {
	case *Request:
		m.RemoveHeader(exact)
	case *Response:
		m.RemoveHeader(exact)
	}
}

// Set sets the one value of a header field.
func Set(m Message, name, value string) {
	Remove(m, name)
	Add(m, name, value)
}

// Add appends a value to those of a header field.
func Add(m Message, name, value string) { m.AppendHeader(sip.NewHeader(name, value)) }

// Prepend puts a value in front of those of a header field.
func Prepend(m Message, name, value string) {
	h := sip.NewHeader(name, value)

	switch m := m.(type) {
	case *Request:
		m.PrependHeader(h)
	case *Response:
		m.PrependHeader(h)
	}
}
