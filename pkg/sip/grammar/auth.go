package grammar

import (
	"iter"
	"strings"
)

// AuthParams reads the parameters of an authentication scheme (RFC 3261 §20.44, §25.1: challenge, credentials) as handsets really write
// them: name=value or name="value" in any spacing, with stray commas, or with none between them. It stops at the first that cannot be
// read, and yields its error.
func AuthParams(s string) iter.Seq2[Param, error] {
	return func(yield func(Param, error) bool) {
		for {
			for s != "" && (s[0] == ',' || classes[s[0]]&blankChar != 0) {
				s = s[1:]
			}

			if s == "" {
				return
			}

			p, rest, err := authParam(s)
			if !yield(p, err) || err != nil {
				return
			}

			s = rest
		}
	}
}

func authParam(s string) (p Param, rest string, err error) {
	name, rest, found := strings.Cut(s, "=")
	if p.Name = trim(name); !found || !IsToken(p.Name) {
		return Param{}, "", fault("parameter", s)
	}

	for rest != "" && classes[rest[0]]&blankChar != 0 {
		rest = rest[1:]
	}

	end := 0

	if strings.HasPrefix(rest, `"`) {
		if end = quotedEnd(rest); end == 0 {
			return Param{}, "", fault("open quotes", s)
		}
	} else {
		for end < len(rest) && rest[end] != ',' && classes[rest[end]]&blankChar == 0 {
			end++
		}
	}

	p.Value, rest = rest[:end], rest[end:]

	return p, rest, printable(p.Value)
}

// CutScheme returns the scheme of an authentication header field and its parameters.
func CutScheme(field string) (scheme, params string) {
	field = trim(field)

	end := 0
	for end < len(field) && classes[field[end]]&blankChar == 0 {
		end++
	}

	return field[:end], field[end:]
}
