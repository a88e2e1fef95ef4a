package grammar

import "strings"

// Param is one parameter. Value is as written, with its quotes; Flag reports a parameter without "=".
type Param struct {
	Name, Value string
	Flag        bool
}

// Params are parameters in the order written, repeated ones included.
type Params []Param

// NewParam returns a parameter with this value, quoted if need be.
func NewParam(name, text string) Param {
	if !isHost(text) {
		text = Quote(text)
	}

	return Param{Name: name, Value: text}
}

// QuotedParam returns a parameter with this value in quotes.
func QuotedParam(name, text string) Param { return Param{Name: name, Value: Quote(text)} }

// Text returns the value without quotes.
func (p Param) Text() string {
	if p.Value == "" || p.Value[0] != '"' {
		return p.Value
	}

	text, _, err := Unquote(p.Value)
	if err != nil {
		return p.Value
	}

	return text
}

// quoted reports whether the value stands in quotes.
func (p Param) quoted() bool { return p.Value != "" && p.Value[0] == '"' }

// String returns the parameter as it is written.
func (p Param) String() string { return string(p.append(nil)) }

func (p Param) append(b []byte) []byte {
	b = append(b, p.Name...)
	if p.Flag {
		return b
	}

	return append(append(b, '='), p.Value...)
}

// ParseParams reads ";name=value;flag". Empty parameters, as from a stray semicolon, are skipped.
func ParseParams(s string) (Params, error) {
	s = trim(s)

	switch {
	case s == "":
		return nil, nil
	case s[0] != ';':
		return nil, fault("parameter", s)
	default:
		return ParseParamList(s[1:])
	}
}

// ParseParamList reads "name=value;flag", the form of header fields that have parameters only and no value before them.
func ParseParamList(s string) (Params, error) {
	var all Params

	for s != "" {
		piece, rest, err := cut(s, ';')
		if err != nil {
			return nil, err
		}

		s = rest[min(1, len(rest)):]

		if piece = trim(piece); piece == "" {
			continue
		}

		p, err := parseParam(piece)

		switch {
		case err != nil:
			return nil, err
		case len(all) == maxParams:
			return nil, fault("too many parameters", piece)
		case all == nil:
			all = make(Params, 0, min(1+strings.Count(s, ";"), maxParams))
		}

		all = append(all, p)
	}

	return all, nil
}

func parseParam(piece string) (Param, error) {
	name, value, valued := strings.Cut(piece, "=")
	p := Param{Name: trim(name), Value: trim(value), Flag: !valued}

	if p.Name == "" || strings.ContainsAny(p.Name, " \t\"<>\\,") {
		return Param{}, fault("parameter", piece)
	}

	if p.quoted() && quotedEnd(p.Value) != len(p.Value) {
		return Param{}, fault("parameter", piece)
	}

	return p, nil
}

// ParseValue reads a token or a quoted string with its parameters, the form of most header field values. The value is returned without
// its quotes.
func ParseValue(s string) (value string, params Params, err error) {
	head, rest, err := cut(s, ';')
	if err != nil {
		return "", nil, err
	}

	if value = trim(head); strings.HasPrefix(value, `"`) {
		var behind string

		if value, behind, err = Unquote(value); err == nil && trim(behind) != "" {
			err = fault("value", s)
		}
	} else if value == "" || strings.ContainsAny(value, " \t\"<>=\\") {
		err = fault("value", s)
	}

	if err != nil {
		return "", nil, err
	}

	params, err = ParseParams(rest)

	return value, params, err
}

// String writes the parameters, each with a semicolon before it.
func (p Params) String() string {
	if len(p) == 0 {
		return ""
	}

	return string(p.append(make([]byte, 0, 32*len(p))))
}

func (p Params) append(b []byte) []byte {
	for _, param := range p {
		b = param.append(append(b, ';'))
	}

	return b
}

// Get returns the text of a parameter; its name is compared without regard to case.
func (p Params) Get(name string) (text string, found bool) {
	for i := range p {
		if strings.EqualFold(p[i].Name, name) {
			return p[i].Text(), true
		}
	}

	return "", false
}

// Del removes a parameter.
func (p *Params) Del(name string) {
	kept := make(Params, 0, len(*p))

	for _, param := range *p {
		if !strings.EqualFold(param.Name, name) {
			kept = append(kept, param)
		}
	}

	*p = kept
}
