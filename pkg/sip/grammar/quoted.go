package grammar

import "strings"

// Unquote reads the quoted string at the start of s and returns its text and the rest of s. Text without escapes is a substring of s.
func Unquote(s string) (text, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", "", fault("no quoted string", s)
	}

	end := strings.IndexAny(s[1:], `"\`) + 1
	if end == 0 {
		return "", "", fault("open quotes", s)
	}

	if s[end] == '"' {
		text, rest = s[1:end], s[end+1:]
		return text, rest, printable(text)
	}

	var b strings.Builder

	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			text, rest = b.String(), s[i+1:]
			return text, rest, printable(text)
		case c != '\\':
			b.WriteByte(c)
		case i+1 < len(s):
			i++
			b.WriteByte(s[i])
		}
	}

	return "", "", fault("open quotes", s)
}

// Quote returns text as a quoted string.
func Quote(text string) string { return string(AppendQuoted(make([]byte, 0, len(text)+2), text)) }

// AppendQuoted appends text as a quoted string. Quotes and backslashes are escaped; control characters, which a quoted string holds
// escaped at best and no reader expects there, become blanks. Octets beyond ASCII are unchanged.
func AppendQuoted(b []byte, text string) []byte {
	b = append(b, '"')

	for i := range len(text) {
		switch c := text[i]; {
		case classes[c]&control != 0:
			b = append(b, ' ')
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}

	return append(b, '"')
}

// quotedEnd returns the index behind the quoted string at the start of s; 0 if it does not end.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}

	return 0
}
