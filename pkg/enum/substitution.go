package enum

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ere"
)

var (
	errForm    = errors.New("not a substitution expression")
	errMatch   = errors.New("it does not match")
	errControl = errors.New("its result has what no URI has")
	errLength  = errors.New("its result is too long")
)

const (
	longestURI = 1024            // octets
	special    = `.[]()*+?{}|^$` // in a POSIX extended regular expression
)

// substitute applies a substitution expression (RFC 3402 §3.2): a delimiter, a POSIX extended regular expression, the delimiter, the
// replacement with \1 to \9 for the groups, the delimiter, and "i" if case does not matter.
func substitute(expression, text string) (string, error) {
	pattern, replacement, flags, err := split(expression)
	if err != nil {
		return "", err
	}

	switch flags {
	case "":
	case "i", "I":
		pattern = "(?i)" + pattern
	default:
		return "", errForm
	}

	compiled, err := ere.Compile(pattern)
	if err != nil {
		return "", err
	}

	compiled.Longest() // as in POSIX

	return replace(compiled, replacement, text)
}

// split splits an expression. A delimiter after a back-slash is literal.
func split(expression string) (pattern, replacement, flags string, err error) {
	if expression == "" {
		return "", "", "", errForm
	}

	delimiter := expression[0]
	if strings.IndexByte(`0123456789iI\`, delimiter) >= 0 || delimiter >= 0x80 {
		return "", "", "", errForm
	}

	var (
		parts [3]strings.Builder
		part  int
	)

	for i := 1; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == delimiter:
			if part++; part == len(parts) {
				return "", "", "", errForm
			}
		case c == '\\' && i+1 < len(expression) && expression[i+1] == delimiter:
			if part == 0 && strings.IndexByte(special, delimiter) >= 0 {
				parts[part].WriteByte('\\')
			}

			parts[part].WriteByte(delimiter)
			i++
		case c == '\\' && i+1 < len(expression): // together, so that the second one does not escape what follows
			parts[part].WriteString(expression[i : i+2])
			i++
		default:
			parts[part].WriteByte(c)
		}
	}

	if part != len(parts)-1 || parts[0].Len() == 0 {
		return "", "", "", errForm
	}

	return parts[0].String(), parts[1].String(), parts[2].String(), nil
}

// replace returns the replacement with the groups filled in.
func replace(pattern *regexp.Regexp, replacement, text string) (string, error) {
	groups := pattern.FindStringSubmatch(text)
	if groups == nil {
		return "", errMatch
	}

	var b strings.Builder

	for i := 0; i < len(replacement); i++ {
		c := replacement[i]
		escaped := c == '\\'

		if escaped {
			if i++; i == len(replacement) {
				return "", errForm
			}

			c = replacement[i]
		}

		switch {
		case escaped && c >= '1' && c <= '9':
			group := int(c - '0')
			if group >= len(groups) {
				return "", errForm
			}

			b.WriteString(groups[group])
		case c <= ' ' || c >= 0x7f:
			return "", errControl
		default:
			b.WriteByte(c)
		}

		if b.Len() > longestURI {
			return "", errLength
		}
	}

	return b.String(), nil
}

// unescape returns the octets of a character-string in the DNS library's form: \DDD is an octet, and a back-slash before another character
// is that character (RFC 1035 §5.1).
func unescape(shown string) string {
	if !strings.Contains(shown, `\`) {
		return shown
	}

	var b strings.Builder

	for i := 0; i < len(shown); i++ {
		if shown[i] != '\\' || i+1 == len(shown) {
			b.WriteByte(shown[i])
			continue
		}

		if i+3 < len(shown) {
			if octet, err := strconv.ParseUint(shown[i+1:i+4], 10, 8); err == nil {
				b.WriteByte(byte(octet))
				i += 3

				continue
			}
		}

		i++
		b.WriteByte(shown[i])
	}

	return b.String()
}
