package grammar

import "strings"

// NameAddr is an address with its surroundings: "Display" <URI>;parameters (RFC 3261 §20.10, §25.1). URI and values are kept as written.
type NameAddr struct {
	Display string // without quotes
	URI     string
	Params  Params
}

// ParseNameAddr reads one address. Without angle brackets, parameters behind a semicolon belong to the header field and not to the URI
// (RFC 3261 §20.10).
func ParseNameAddr(s string) (NameAddr, error) {
	var a NameAddr

	rest := trim(s)

	if strings.HasPrefix(rest, `"`) {
		display, after, err := Unquote(rest)
		if err != nil {
			return NameAddr{}, err
		}

		if after = trim(after); !strings.HasPrefix(after, "<") {
			return NameAddr{}, fault("address", s)
		}

		a.Display, rest = display, after
	}

	uri, after, found := strings.Cut(rest, "<")

	switch {
	case found && strings.IndexByte(uri, ';') < 0:
		if name := trim(uri); name != "" {
			if a.Display = name; strings.ContainsAny(name, `">`) || printable(name) != nil {
				return NameAddr{}, fault("address", s)
			}
		}

		if uri, rest, found = strings.Cut(after, ">"); !found {
			return NameAddr{}, fault("address", s)
		}
	default:
		end := strings.IndexByte(rest, ';')
		if end < 0 {
			end = len(rest)
		}

		uri, rest = rest[:end], rest[end:]
	}

	if a.URI = trim(uri); !uriLike(a.URI) {
		return NameAddr{}, fault("address", s)
	}

	var err error
	if a.Params, err = ParseParams(rest); err != nil {
		return NameAddr{}, err
	}

	return a, nil
}

// uriLike reports whether s can be a URI: it has a scheme, and no character that ends one.
func uriLike(s string) bool {
	scheme := false

	for i := range len(s) {
		switch c := s[i]; {
		case classes[c]&(blankChar|control) != 0, c == '"', c == '<', c == '>', c == '\\':
			return false
		case c == ':':
			scheme = scheme || i > 0
		}
	}

	return scheme
}

// String writes the address with its URI in brackets.
func (a NameAddr) String() string {
	b := make([]byte, 0, len(a.Display)+len(a.URI)+8+32*len(a.Params))

	if a.Display != "" {
		b = append(AppendQuoted(b, a.Display), ' ')
	}

	b = append(b, '<')
	b = append(b, a.URI...)
	b = append(b, '>')

	return string(a.Params.append(b))
}
