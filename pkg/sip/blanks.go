package sip

import "bytes"

// tidied removes from header fields the blanks that RFC 3261 §25.1 allows around separators (SLASH, COLON, SEMI, EQUAL, LAQUOT and the
// like) and that sipgo's parsers of Via, From, To and CSeq take for part of the value. The rest of the message is unchanged; without such
// blanks the result is raw itself.
func tidied(raw []byte) []byte {
	var out []byte

	copied := 0 // of raw into out

	for at := bytes.IndexByte(raw, '\n') + 1; at > 0 && at < len(raw) && raw[at] != '\r'; {
		end := lineEnd(raw, at)

		if separators, known := separatorsOf(raw[at:end]); known {
			colon := at + bytes.IndexByte(raw[at:end], ':') + 1

			if value := raw[colon : end-2]; loose(value, separators) {
				out = append(out, raw[copied:colon]...)
				out = tightened(out, value, separators)
				copied = end - 2
			}
		}

		at = end
	}

	if out == nil {
		return raw
	}

	return append(out, raw[copied:]...)
}

// lineEnd returns the end of the line at this place, continuation lines included (§7.3.1). The header fields are known to be complete.
func lineEnd(raw []byte, at int) int {
	for at < len(raw) {
		n := bytes.IndexByte(raw[at:], '\n')
		if n < 0 {
			return len(raw)
		}

		if at += n + 1; at == len(raw) || !blank(raw[at]) {
			return at
		}
	}

	return at
}

// separatorsOf returns the separators around which blanks may stand in a header field.
func separatorsOf(line []byte) (separators string, known bool) {
	colon := 0
	for colon < len(line) && colon < 8 && line[colon] != ':' {
		colon++
	}

	if colon == len(line) || line[colon] != ':' || len(line) < colon+3 { // no name that long is looked for
		return "", false
	}

	name := line[:colon]
	for len(name) > 0 && blank(name[len(name)-1]) {
		name = name[:len(name)-1]
	}

	switch len(name) {
	case 1:
		switch name[0] | 0x20 {
		case 'v':
			return viaSeparators, true
		case 'f', 't':
			return addressSeparators, true
		}
	case 2:
		return addressSeparators, name[0]|0x20 == 't' && name[1]|0x20 == 'o'
	case 3:
		return viaSeparators, bytes.EqualFold(name, []byte("via"))
	case 4:
		if bytes.EqualFold(name, []byte("from")) {
			return addressSeparators, true
		}

		return "", bytes.EqualFold(name, []byte("cseq"))
	}

	return "", false
}

const (
	viaSeparators     = "/:;=,"
	addressSeparators = ";="
)

func blank(c byte) bool { return c == ' ' || c == '\t' }

// blankish reports whether tightened takes c for a blank: those of blank, and the end of a continued line.
func blankish(c byte) bool { return blank(c) || c == '\r' || c == '\n' }

// loose reports whether there is anything to remove: most messages have nothing.
func loose(value []byte, separators string) bool {
	value = bytes.Trim(value, " \t")

	for i, c := range value {
		switch {
		case c == ' ' && separator(value[i-1], separators), c == ' ' && separator(value[i+1], separators):
			return true
		case c == ' ' && value[i+1] == ' ', c == '\t', c == '\r':
			return true
		}
	}

	return false
}

func separator(c byte, separators string) bool {
	for i := range len(separators) {
		if separators[i] == c {
			return true
		}
	}

	return false
}

// tightened appends a value without the blanks around its separators, and with runs of blanks reduced to one. Quoted strings and text in
// angle brackets are copied as they are.
func tightened(out, value []byte, separators string) []byte {
	out = append(out, ' ')
	begin := len(out)

	quoted, bracket, pending := false, false, false

	for i := 0; i < len(value); i++ {
		c := value[i]

		switch {
		case quoted || bracket:
			out = append(out, c)

			switch {
			case c == '\\' && quoted && i+1 < len(value):
				i++
				out = append(out, value[i])
			case c == '"' && quoted:
				quoted = false
			case c == '>' && !quoted:
				bracket = false
			}

			continue
		case blankish(c):
			pending = len(out) > begin && !separator(out[len(out)-1], separators)
			continue
		case pending && !separator(c, separators):
			out = append(out, ' ')
		}

		pending = false
		quoted, bracket = c == '"', c == '<'
		out = append(out, c)
	}

	return out
}
