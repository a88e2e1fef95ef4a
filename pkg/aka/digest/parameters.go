// Package digest is HTTP Digest as SIP and IMS use it (RFC 2617, RFC 7616, RFC 8760), with AKA (RFC 3310, RFC 4169).
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

// parameters reads "Digest name=value, name="value"…" as handsets really write it: any case, any spacing, values with or
// without quotes, stray commas. A name that comes twice is an error, because the two sides might choose differently, and so
// is a control character in a value, which would be a header of its own when it is written again.
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
	w.WriteByte('=')
	w.WriteString(grammar.Quote(value))
}

// bare writes a value without quotes, unless it came in quotes because it needs them: what stands inside must not become
// parameters of its own.
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
