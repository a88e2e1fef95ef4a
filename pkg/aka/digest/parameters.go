// Package digest is HTTP Digest as SIP and IMS use it (RFC 2617, RFC 7616, RFC 8760), with AKA (RFC 3310, RFC 4169).
package digest

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxParameters = 32
	maxHeader     = 16 << 10 // octets
)

var errSyntax = errors.New("digest: the header cannot be read")

// parameters reads "Digest name=value, name="value"…" as handsets really write it: any case, any spacing, values with or
// without quotes, stray commas. A name that comes twice is an error, because the two sides might choose differently, and so
// is a control character in a value, which would be a header of its own when it is written again.
func parameters(header string) (map[string]string, error) {
	if len(header) > maxHeader {
		return nil, fmt.Errorf("%w: %d octets", errSyntax, len(header))
	}

	rest := strings.TrimSpace(header)

	end := strings.IndexAny(rest, " \t\r\n")
	if end < 0 {
		end = len(rest)
	}

	if !strings.EqualFold(rest[:end], "Digest") {
		return nil, fmt.Errorf("%w: scheme %q", errSyntax, rest[:min(end, 20)])
	}

	rest = rest[end:]
	found := make(map[string]string, 12)

	for {
		rest = strings.TrimLeft(rest, " \t\r\n,")
		if rest == "" {
			return found, nil
		}

		name, after, ok := strings.Cut(rest, "=")
		name = strings.ToLower(strings.TrimSpace(name))

		if !ok || !isToken(name) {
			return nil, fmt.Errorf("%w: parameter %q", errSyntax, name[:min(len(name), 40)])
		}

		value, after, err := value(strings.TrimLeft(after, " \t\r\n"))
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, name)
		}

		if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil, fmt.Errorf("%w: control character in %s", errSyntax, name)
		}

		if _, twice := found[name]; twice {
			return nil, fmt.Errorf("%w: %s comes twice", errSyntax, name)
		}

		if len(found) == maxParameters {
			return nil, fmt.Errorf("%w: more than %d parameters", errSyntax, maxParameters)
		}

		found[name], rest = value, after
	}
}

func value(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ", \t\r\n")
		if end < 0 {
			end = len(s)
		}

		return s[:end], s[end:], nil
	}

	if end := strings.IndexAny(s[1:], `"\`); end >= 0 && s[1+end] == '"' { // no escapes: no copy
		return s[1 : 1+end], s[end+2:], nil
	}

	var b strings.Builder

	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) {
				return "", "", fmt.Errorf("%w: open quotes", errSyntax)
			}

			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}

	return "", "", fmt.Errorf("%w: open quotes", errSyntax)
}

// writer puts a header together in the order in which it is called, leaving out what is empty.
type writer struct{ strings.Builder }

func (w *writer) separate() {
	if w.Len() == 0 {
		w.WriteString("Digest ")
	} else {
		w.WriteByte(',')
	}
}

func (w *writer) quoted(name, value string) {
	if value != "" {
		w.alwaysQuoted(name, value)
	}
}

func (w *writer) alwaysQuoted(name, value string) {
	w.separate()
	w.WriteString(name)
	w.WriteString(`="`)

	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			w.WriteByte('\\')
		}

		w.WriteByte(value[i])
	}

	w.WriteByte('"')
}

// bare writes a value without quotes, unless it came in quotes because it needs them: what stands inside must not become
// parameters of its own.
func (w *writer) bare(name, value string) {
	switch {
	case value == "":
	case !isToken(value):
		w.alwaysQuoted(name, value)
	default:
		w.separate()
		w.WriteString(name)
		w.WriteByte('=')
		w.WriteString(value)
	}
}

// isToken tells whether s is a token (RFC 3261 §25.1).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-.!%*_+`'~", c) >= 0) {
			return false
		}
	}

	return s != ""
}
