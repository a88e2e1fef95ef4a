package ims

import (
	"errors"
	"fmt"
	"strings"
)

var errHeader = errors.New("ims: the header cannot be read")

const (
	maxText       = 32 << 10 // octets of one header field
	maxValues     = 100      // in the comma list of one header
	maxParameters = 64       // of one value
)

// Parameters are what stands behind a value as ;name=value, in order and in number as it came.
type Parameters []Parameter

// Parameter is one of them. Value is without quotes; Flag has no "=".
type Parameter struct {
	Name   string
	Value  string
	Quoted bool
	Flag   bool
}

// Get finds a parameter by its name in any case.
func (p Parameters) Get(name string) (value string, found bool) {
	for i := range p {
		if strings.EqualFold(p[i].Name, name) {
			return p[i].Value, true
		}
	}

	return "", false
}

// String writes them, each with a semicolon before it.
func (p Parameters) String() string {
	var b strings.Builder

	for _, parameter := range p {
		b.WriteByte(';')
		parameter.write(&b)
	}

	return b.String()
}

func (p Parameter) write(b *strings.Builder) {
	b.WriteString(p.Name)

	if p.Flag {
		return
	}

	b.WriteByte('=')

	if p.Quoted || p.Value == "" || strings.ContainsAny(p.Value, " \t;,\"\\<>") {
		writeQuoted(b, p.Value)
	} else {
		b.WriteString(p.Value)
	}
}

func writeQuoted(b *strings.Builder, text string) {
	b.WriteByte('"')

	for i := range len(text) {
		if c := text[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}

		b.WriteByte(text[i])
	}

	b.WriteByte('"')
}

// parseParameters reads pieces that split cut at semicolons. Empty pieces, as of a stray semicolon, are passed over.
func parseParameters(pieces []string) (Parameters, error) {
	var all Parameters

	for _, piece := range pieces {
		if piece = strings.TrimSpace(piece); piece == "" {
			continue
		}

		name, value, found := strings.Cut(piece, "=")
		p := Parameter{Name: strings.TrimSpace(name), Flag: !found}

		if p.Name == "" || strings.ContainsAny(p.Name, " \t\"<>\\") {
			return nil, fmt.Errorf("%w: parameter %q", errHeader, clip(piece))
		}

		if value = strings.TrimSpace(value); strings.HasPrefix(value, `"`) {
			text, rest, err := unquote(value)
			if err != nil || strings.TrimSpace(rest) != "" {
				return nil, fmt.Errorf("%w: parameter %q", errHeader, clip(piece))
			}

			p.Value, p.Quoted = text, true
		} else {
			p.Value = value
		}

		if len(all) == maxParameters {
			return nil, fmt.Errorf("%w: more than %d parameters", errHeader, maxParameters)
		}

		all = append(all, p)
	}

	return all, nil
}

// unquote reads a quoted string from the front of s.
func unquote(s string) (text, rest string, err error) {
	if end := strings.IndexAny(s[1:], `"\`); end >= 0 && s[1+end] == '"' { // no escapes: no copy
		return s[1 : 1+end], s[end+2:], nil
	}

	var b strings.Builder

	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", errHeader
			}

			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}

	return "", "", fmt.Errorf("%w: open quotes", errHeader)
}

// split cuts s at each separator outside quotes and angle brackets. Control characters, with which one header could become
// two, are refused.
func split(s string, separator byte) ([]string, error) {
	if len(s) > maxText {
		return nil, fmt.Errorf("%w: %d octets", errHeader, len(s))
	}

	var (
		pieces          []string
		start           int
		quoted, bracket bool
	)

	for i := 0; i < len(s); i++ {
		c := s[i]

		switch {
		case c < ' ' && c != '\t' || c == 0x7f:
			return nil, fmt.Errorf("%w: control character %#x", errHeader, c)
		case quoted && c == '\\':
			if i++; i < len(s) && (s[i] < ' ' || s[i] == 0x7f) {
				return nil, fmt.Errorf("%w: control character %#x", errHeader, s[i])
			}
		case c == '"' && !bracket:
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case c == separator && !bracket:
			if len(pieces) == maxValues {
				return nil, fmt.Errorf("%w: more than %d values", errHeader, maxValues)
			}

			pieces, start = append(pieces, s[start:i]), i+1
		}
	}

	if quoted || bracket {
		return nil, fmt.Errorf("%w: open quotes or brackets in %q", errHeader, clip(s))
	}

	return append(pieces, s[start:]), nil
}

// list cuts the comma lists of the fields of one header into values, without the empty ones.
func list(fields []string) ([]string, error) {
	var values []string

	for _, field := range fields {
		pieces, err := split(field, ',')
		if err != nil {
			return nil, err
		}

		for _, piece := range pieces {
			if piece = strings.TrimSpace(piece); piece != "" {
				values = append(values, piece)
			}
		}

		if len(values) > maxValues {
			return nil, fmt.Errorf("%w: more than %d values", errHeader, maxValues)
		}
	}

	return values, nil
}

// token is a token with parameters, which the values of several headers are.
func token(text string) (value string, parameters Parameters, err error) {
	if strings.HasPrefix(text, `"`) {
		return "", nil, fmt.Errorf("%w: quotes in %q", errHeader, clip(text))
	}

	return tokenOrQuoted(text)
}

// tokenOrQuoted is a token or quoted string with parameters.
func tokenOrQuoted(text string) (value string, parameters Parameters, err error) {
	pieces, err := split(text, ';')
	if err != nil {
		return "", nil, err
	}

	value = strings.TrimSpace(pieces[0])

	if strings.HasPrefix(value, `"`) {
		rest := ""
		if value, rest, err = unquote(value); err != nil || strings.TrimSpace(rest) != "" {
			return "", nil, fmt.Errorf("%w: %q", errHeader, clip(text))
		}
	} else if value == "" || strings.ContainsAny(value, " \t\"<>=") {
		return "", nil, fmt.Errorf("%w: %q", errHeader, clip(text))
	}

	parameters, err = parseParameters(pieces[1:])

	return value, parameters, err
}
