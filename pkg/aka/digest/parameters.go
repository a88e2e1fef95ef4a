// Package digest is HTTP Digest as SIP and IMS use it (RFC 2617, RFC 7616, RFC 8760), with AKA (RFC 3310, RFC 4169).
package digest

import (
	"errors"
	"fmt"
	"strings"
)

const maxParameters = 32

var errSyntax = errors.New("digest: the header cannot be read")

// parameters reads "Digest name=value, name="value"…" as handsets really write it: any case, any spacing, values with or
// without quotes, stray commas. A name that comes twice is an error, because the two sides might choose differently.
func parameters(header string) (map[string]string, error) {
	rest := strings.TrimSpace(header)

	scheme, rest, _ := strings.Cut(rest, " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil, fmt.Errorf("%w: scheme %q", errSyntax, scheme)
	}

	found := map[string]string{}

	for {
		rest = strings.TrimLeft(rest, " \t\r\n,")
		if rest == "" {
			return found, nil
		}

		name, after, ok := strings.Cut(rest, "=")
		name = strings.ToLower(strings.TrimSpace(name))

		if !ok || name == "" || strings.ContainsAny(name, " \t,\"") {
			return nil, fmt.Errorf("%w: parameter %q", errSyntax, name)
		}

		value, after, err := value(strings.TrimLeft(after, " \t\r\n"))
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, name)
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

func (w *writer) bare(name, value string) {
	if value != "" {
		w.separate()
		w.WriteString(name)
		w.WriteByte('=')
		w.WriteString(value)
	}
}
