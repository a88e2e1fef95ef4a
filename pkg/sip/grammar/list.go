package grammar

import (
	"iter"
	"strings"
)

// List yields the elements of a comma list in order, without empty ones. Commas in quotes and in angle brackets do not separate. Open
// quotes or brackets extend to the end of the text.
func List(field string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := field; rest != ""; {
			end := separator(rest, ',')

			element := trim(rest[:end])
			if element != "" && !yield(element) {
				return
			}

			rest = rest[min(end+1, len(rest)):]
		}
	}
}

// AppendList appends the elements of a comma list.
func AppendList(all []string, field string) []string {
	for element := range List(field) {
		all = append(all, element)
	}

	return all
}

// Split cuts s at each separator outside quotes and angle brackets, and trims the pieces. Empty pieces are left out.
func Split(s string, at byte) ([]string, error) {
	var pieces []string

	for s != "" {
		piece, rest, err := cut(s, at)
		if err != nil {
			return nil, err
		}

		if piece = trim(piece); piece != "" {
			pieces = append(pieces, piece)
		}

		s = rest[min(1, len(rest)):]
	}

	return pieces, nil
}

// cut returns the text before the first separator outside quotes and angle brackets, and the rest from the separator on. The piece has no
// control characters.
func cut(s string, at byte) (piece, rest string, err error) {
	end := separator(s, at)
	piece, rest = s[:end], s[end:]

	for i := range len(piece) {
		if classes[piece[i]]&control != 0 {
			return "", "", printable(piece)
		}
	}

	if end == len(s) && open(piece) {
		return "", "", fault("open quotes or brackets", s)
	}

	return piece, rest, nil
}

// separator returns the index of the first separator outside quotes and angle brackets, or the length of s.
func separator(s string, at byte) int {
	first := strings.IndexByte(s, at)
	if first < 0 {
		return len(s)
	}

	if strings.IndexByte(s[:first], '"') < 0 && strings.IndexByte(s[:first], '<') < 0 { // nothing is open there
		return first
	}

	place, _ := scan(s, int(at))

	return place
}

// open reports whether quotes or brackets of s are not closed.
func open(s string) bool {
	if strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '<') < 0 {
		return false
	}

	_, closed := scan(s, nothing)

	return !closed
}

const nothing = -1 // not an octet

// scan returns the index of the first separator outside quotes and angle brackets, or the length of s; closed reports whether quotes and
// brackets are closed there.
func scan(s string, at int) (place int, closed bool) {
	quoted, bracket := false, false

	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracket:
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case int(c) == at && !bracket:
			return i, true
		}
	}

	return len(s), !quoted && !bracket
}
