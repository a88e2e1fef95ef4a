// Package ims parses and writes what IMS adds to SIP: identities (TS 23.003) and header field values (TS 24.229, RFC 7315). It works on
// strings and knows nothing of messages.
package ims

import (
	"errors"
	"fmt"
	"strings"
)

var errIdentity = errors.New("ims: the identity cannot be read")

// CanonicalIdentity returns a public identity in the form of subscriber data (TS 24.229 §5.4.1.2, TS 29.228 §6.1): without port,
// parameters, password, visual separators and needless escapes, and with scheme and host in lower case. A sip URI with user=phone and
// a global number becomes a tel URI, as TS 24.229 §5.3.2.1 requires of an I-CSCF. A local number keeps its phone-context, without which
// it means nothing (RFC 3966 §5.1.5). An identity that is already canonical is returned without allocation.
func CanonicalIdentity(uri string) (string, error) {
	uri = strings.TrimSpace(uri)

	var space [160]byte

	canonical, ok := appendCanonical(space[:0], uri)
	if !ok {
		return "", fmt.Errorf("%w: %q", errIdentity, clip(uri))
	}

	if string(canonical) == uri {
		return uri, nil
	}

	return string(canonical), nil
}

// SameIdentity reports whether two URIs name the same public identity. It is false if either cannot be parsed.
func SameIdentity(a, b string) bool {
	first, err := CanonicalIdentity(a)
	if err != nil {
		return false
	}

	second, err := CanonicalIdentity(b)

	return err == nil && first == second
}

const maxIdentity = 1024 // octets

func appendCanonical(b []byte, uri string) ([]byte, bool) {
	scheme, rest, found := strings.Cut(uri, ":")

	switch {
	case !found || len(uri) > maxIdentity:
		return nil, false
	case strings.EqualFold(scheme, "tel"):
		return appendTel(b, rest)
	case strings.EqualFold(scheme, "sip"), strings.EqualFold(scheme, "sips"):
		return appendSIP(b, rest)
	default:
		return nil, false
	}
}

func appendTel(b []byte, rest string) ([]byte, bool) {
	number, parameters, _ := strings.Cut(rest, ";")
	b = append(b, "tel:"...)

	b, ok := appendNumber(b, number)
	if !ok || b[len("tel:")] == '+' {
		return b, ok
	}

	for p := range strings.SplitSeq(parameters, ";") {
		name, context, _ := strings.Cut(p, "=")
		if !strings.EqualFold(name, "phone-context") {
			continue
		}

		b = append(b, ";phone-context="...)
		if strings.HasPrefix(context, "+") {
			return appendNumber(b, context)
		}

		return appendHost(b, context)
	}

	return b, true
}

func appendSIP(b []byte, rest string) ([]byte, bool) {
	user, address, hasUser := strings.Cut(rest, "@")
	if !hasUser {
		user, address = "", rest
	}

	user, _, _ = strings.Cut(user, ":") // a password

	host, parameters := address, ""
	if end := strings.IndexAny(address, ";?"); end >= 0 {
		host = address[:end]
		parameters, _, _ = strings.Cut(address[end:], "?")
	}

	if hasUser && user == "" || strings.IndexByte(address, '@') >= 0 {
		return nil, false
	}

	if isGlobal(user) && hasParameter(parameters, "user=phone") {
		number, _, _ := strings.Cut(user, ";")
		b = append(b, "tel:"...)

		return appendNumber(b, number)
	}

	b = append(b, "sip:"...)

	if hasUser {
		var ok bool
		if b, ok = appendUser(b, user); !ok {
			return nil, false
		}

		b = append(b, '@')
	}

	return appendHost(b, withoutPort(host))
}

// appendUser removes escapes of characters that need none (RFC 3261 §19.1.4).
func appendUser(b []byte, user string) ([]byte, bool) {
	for i := 0; i < len(user); i++ {
		c := user[i]

		switch {
		case c == '%':
			if i+2 >= len(user) {
				return nil, false
			}

			high, low := unhex(user[i+1]), unhex(user[i+2])
			if high > 15 || low > 15 {
				return nil, false
			}

			i += 2

			if c = high<<4 | low; isUnreserved(c) || c == '+' && i == 2 { // that of a number, as some handsets write it
				b = append(b, c)
			} else {
				b = append(b, '%', hexDigits[high], hexDigits[low])
			}
		case isUnreserved(c) || strings.IndexByte("&=+$,;?/#[]{}|^`", c) >= 0 || c >= 0x80:
			b = append(b, c) // more than the grammar has, as handsets and labs have it
		default:
			return nil, false
		}
	}

	return b, true
}

func appendHost(b []byte, host string) ([]byte, bool) {
	if host == "" {
		return nil, false
	}

	literal := host[0] == '['
	if literal != (host[len(host)-1] == ']') || literal && len(host) < 4 {
		return nil, false
	}

	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
			b = append(b, c)
		case literal && (c == ':' || c == '[' && i == 0 || c == ']' && i == len(host)-1):
			b = append(b, c)
		default:
			return nil, false
		}
	}

	return b, true
}

// appendNumber removes visual separators and needless escapes from a telephone number (RFC 3966 §3, RFC 3261 §19.1.4). The # of a local
// number stays %23.
func appendNumber(b []byte, number string) ([]byte, bool) {
	found, global := false, false

	for i := 0; i < len(number); i++ {
		c, first, escaped := number[i], i == 0, number[i] == '%'

		if escaped {
			if i+2 >= len(number) {
				return nil, false
			}

			high, low := unhex(number[i+1]), unhex(number[i+2])
			if high > 15 || low > 15 {
				return nil, false
			}

			c = high<<4 | low
			i += 2
		}

		switch {
		case c >= '0' && c <= '9':
			b, found = append(b, c), true
		case c == '+' && first:
			b, global = append(b, c), true
		case c == '#' && escaped && !global:
			b, found = append(b, hash...), true
		case c == '*' && !global:
			b, found = append(b, c), true
		case c == '-' || c == '.' || c == '(' || c == ')':
		default:
			return nil, false
		}
	}

	return b, found
}

const hash = "%23"

// isGlobal reports whether a user part begins like a global number.
func isGlobal(user string) bool {
	return strings.HasPrefix(user, "+") || len(user) > 3 && strings.EqualFold(user[:3], "%2B")
}

const hexDigits = "0123456789ABCDEF"

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	default:
		return 0xff
	}
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0
}

func hasParameter(parameters, wanted string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		if strings.EqualFold(strings.TrimSpace(p), wanted) {
			return true
		}
	}

	return false
}

func withoutPort(host string) string {
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 && (end == len(host)-1 || host[end+1] == ':') {
			return host[:end+1]
		}

		return ""
	}

	host, _, _ = strings.Cut(host, ":")

	return host
}

// clip shortens a long text for an error message.
func clip(s string) string {
	const enough = 100

	if len(s) > enough {
		return s[:enough] + "…"
	}

	return s
}
