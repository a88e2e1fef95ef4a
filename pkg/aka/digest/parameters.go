// Package digest implements HTTP Digest as SIP and IMS use it (RFC 2617, RFC 7616, RFC 8760), with AKA (RFC 3310, RFC 4169).
package digest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

const (
	maxParameters = 32
	maxHeader     = 16 << 10 // octets
)

var errSyntax = errors.New("digest: the header cannot be read")

// parameters parses "Digest name=value, name="value"…" as handsets really write it: in any case, with any spacing, with or without
// quotes, with stray commas. A name that occurs twice is an error, because the two sides might pick different values. So is a control
// character in a value, which could start another header field when the value is written again.
func parameters(header string) (map[string]string, error) {
	if len(header) > maxHeader {
		return nil, fmt.Errorf("%w: %d octets", errSyntax, len(header))
	}

	scheme, rest := grammar.CutScheme(header)
	if !strings.EqualFold(scheme, "Digest") {
		return nil, fmt.Errorf("%w: scheme %q", errSyntax, scheme[:min(len(scheme), 20)])
	}

	found := make(map[string]string, 12)

	for p, err := range grammar.AuthParams(rest) {
		if err != nil {
			return nil, fmt.Errorf("digest: %w", err)
		}

		name := strings.ToLower(p.Name)

		if _, twice := found[name]; twice {
			return nil, fmt.Errorf("%w: %.40s comes twice", errSyntax, name)
		}

		if len(found) == maxParameters {
			return nil, fmt.Errorf("%w: more than %d parameters", errSyntax, maxParameters)
		}

		found[name] = p.Text()
	}

	return found, nil
}

// writer builds a header field from parameters in the order of the calls, and leaves out empty ones.
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
	w.WriteByte('=')
	w.WriteString(grammar.Quote(value))
}

// bare writes a value without quotes, unless it needs them: its content must not turn into parameters.
func (w *writer) bare(name, value string) {
	switch {
	case value == "":
	case !grammar.IsToken(value):
		w.alwaysQuoted(name, value)
	default:
		w.separate()
		w.WriteString(name)
		w.WriteByte('=')
		w.WriteString(value)
	}
}
