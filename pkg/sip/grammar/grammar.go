// Package grammar is the syntax that SIP header fields share (RFC 3261 §25.1): tokens, quoted strings, comma lists, parameters,
// addresses, and the parameters of authentication. It reads and writes text and knows no header field by its name.
//
// It accepts more than the grammar, as far as only one reading is possible: blanks around every separator, empty elements of lists,
// tokens with characters that a token may not have, missing commas between the parameters of authentication. Text that another reader
// could read differently is an error: open quotes and brackets, text behind a quoted string, control characters.
package grammar

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSyntax is the error of text that does not follow the grammar.
var ErrSyntax = errors.New("the header field cannot be read")

// maxParams is the largest number of parameters of one value.
const maxParams = 64

// fault returns ErrSyntax with a description and the offending text, which may be long.
func fault(what, text string) error {
	const enough = 100

	if len(text) > enough {
		text = text[:enough] + "…"
	}

	return fmt.Errorf("%w: %s: %q", ErrSyntax, what, text)
}

// IsToken reports whether s is a token.
func IsToken(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&tokenChar == 0 {
			return false
		}
	}

	return s != ""
}

// isHost reports whether s has only characters of tokens and hosts, an IPv6 reference included: such a value needs no quotes.
func isHost(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&(tokenChar|hostChar) == 0 {
			return false
		}
	}

	return s != ""
}

// Classes of octets.
const (
	tokenChar = 1 << iota // token
	hostChar              // in an IPv6 reference, besides those of a token
	blankChar             // LWS, including the end of a continued line
	control               // never in a header field, in quotes or not; HTAB is not among them
)

var classes = func() (table [256]uint8) {
	for c := range 256 {
		switch {
		case c == ' ' || c == '\t':
			table[c] = blankChar
		case c == '\r' || c == '\n':
			table[c] = blankChar | control
		case c < ' ' || c == 0x7f:
			table[c] = control
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("-.!%*_+`'~", byte(c)) >= 0:
			table[c] = tokenChar
		case c == '[' || c == ']' || c == ':':
			table[c] = hostChar
		}
	}

	return table
}()

// trim removes the blanks at both ends.
func trim(s string) string {
	for s != "" && classes[s[0]]&blankChar != 0 {
		s = s[1:]
	}

	for s != "" && classes[s[len(s)-1]]&blankChar != 0 {
		s = s[:len(s)-1]
	}

	return s
}

// printable refuses control characters, which could turn one header field into two.
func printable(s string) error {
	for i := range len(s) {
		if classes[s[i]]&control != 0 {
			return fmt.Errorf("%w: control character %#x", ErrSyntax, s[i])
		}
	}

	return nil
}
