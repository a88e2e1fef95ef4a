// Package ere compiles POSIX extended regular expressions to run on Go's engine.
package ere

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

const (
	maxExpression = 4096 // octets
	maxProgram    = 2000 // instructions of a compiled expression
)

// Compile compiles a POSIX extended regular expression (TS 29.228 annex F; IEEE 1003.1 chapter 9). It runs on Go's engine,
// whose time is linear in the text, after a translation of what differs:
//
//   - a back-slash inside brackets is a character like others: [\.] is back-slash or dot;
//   - [.x.] and [=x=] inside brackets are the character x;
//   - a dot and [^x] match any character, also a line break; ^ and $ are the ends of the text only;
//   - {,n} is {0,n}; a brace that begins no interval, and a parenthesis that closes no group, are themselves.
//
// What the standard leaves undefined: \d \w \s and \D \W \S outside brackets are the classes that authors mean by them, a
// back-slash before any other letter or digit is refused (there are no back-references), and before anything else it makes
// that an ordinary character; (?i) at the beginning ignores case, and a repetition with nothing before it is refused.
// Intervals go up to 1000, and an expression that would become too large a program is refused.
func Compile(expression string) (*regexp.Regexp, error) {
	flags := syntax.ClassNL | syntax.OneLine | syntax.DotNL

	rest, found := strings.CutPrefix(expression, "(?i)")
	if found {
		flags |= syntax.FoldCase
	}

	translated, err := translate(rest)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", clip(expression), err)
	}

	parsed, err := syntax.Parse(translated, flags)
	if reason := (*syntax.Error)(nil); errors.As(err, &reason) { // the error's own text repeats the expression in full
		return nil, fmt.Errorf("expression %q: %s %q", clip(expression), reason.Code, clip(reason.Expr))
	} else if err != nil {
		return nil, fmt.Errorf("expression %q: %w", clip(expression), err)
	}

	if size(parsed) > maxProgram {
		return nil, fmt.Errorf("expression %q is too large", clip(expression))
	}

	return regexp.Compile(parsed.String()) // which knows only the flags in it
}

// size returns roughly how many instructions an expression becomes.
func size(e *syntax.Regexp) int {
	total := 1 + len(e.Rune)/16

	if e.Op == syntax.OpLiteral {
		total = len(e.Rune)
	}

	for _, sub := range e.Sub {
		total += size(sub)
	}

	if e.Op == syntax.OpRepeat {
		total *= max(e.Min, e.Max, 1)
	}

	return min(total, 1<<20)
}

func translate(expression string) (string, error) {
	if len(expression) > maxExpression {
		return "", fmt.Errorf("%d octets", len(expression))
	}

	var b strings.Builder

	open := 0 // groups

	for i := 0; i < len(expression); {
		var (
			n   int
			err error
		)

		switch rest := expression[i:]; rest[0] {
		case '[':
			n, err = bracket(&b, rest)
		case '\\':
			n, err = escape(&b, rest)
		case '{':
			n = brace(&b, rest)
		case '(':
			open++

			b.WriteByte('(')
			n = 1
		case ')':
			if open--; open < 0 {
				open = 0

				writeRune(&b, ')')
			} else {
				b.WriteByte(')')
			}

			n = 1
		default:
			b.WriteByte(rest[0])
			n = 1
		}

		if err != nil {
			return "", err
		}

		i += n
	}

	return b.String(), nil
}

var perl = map[byte]string{
	'd': "[0-9]", 'D': "[^0-9]", 'w': "[0-9A-Za-z_]", 'W': "[^0-9A-Za-z_]", 's': `[\t\n\f\r ]`, 'S': `[^\t\n\f\r ]`,
}

func escape(b *strings.Builder, rest string) (int, error) {
	if len(rest) < 2 {
		return 0, fmt.Errorf("a back-slash at the end")
	}

	switch c := rest[1]; {
	case perl[c] != "":
		b.WriteString(perl[c])
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return 0, fmt.Errorf("%s has no meaning in a POSIX expression", rest[:2])
	case c >= utf8.RuneSelf: // the character needs no back-slash, and keeps its other octets
		b.WriteByte(c)
	default:
		writeRune(b, rune(c))
	}

	return 2, nil
}

// brace writes an interval, or a literal brace that begins none.
func brace(b *strings.Builder, rest string) int {
	end := strings.IndexByte(rest, '}')
	if end < 0 {
		writeRune(b, '{')
		return 1
	}

	low, high, ranged := strings.Cut(rest[1:end], ",")

	switch {
	case !isNumber(low) && low != "", !isNumber(high) && high != "", low == "" && high == "":
		writeRune(b, '{')
		return 1
	case low == "":
		low = "0"
	}

	b.WriteString("{" + low)

	if ranged {
		b.WriteString("," + high)
	}

	b.WriteByte('}')

	return end + 1
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

var classes = []string{"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"}

// bracket writes a bracket expression (IEEE 1003.1 §9.3.5).
func bracket(b *strings.Builder, rest string) (int, error) {
	i := 1

	b.WriteByte('[')

	if strings.HasPrefix(rest[i:], "^") {
		b.WriteByte('^')
		i++
	}

	for first := true; ; first = false {
		switch {
		case i >= len(rest):
			return 0, fmt.Errorf("brackets are not closed")
		case rest[i] == ']' && !first:
			b.WriteByte(']')
			return i + 1, nil
		case strings.HasPrefix(rest[i:], "[:"):
			n, err := class(b, rest[i:])
			if err != nil {
				return 0, err
			}

			i += n

			continue
		}

		low, n, err := element(rest[i:])
		if err != nil {
			return 0, err
		}

		i += n

		writeRune(b, low)

		if i+1 >= len(rest) || rest[i] != '-' || rest[i+1] == ']' {
			continue
		}

		high, n, err := element(rest[i+1:])
		if err != nil {
			return 0, err
		}

		if high < low {
			return 0, fmt.Errorf("the range %c-%c is backwards", low, high)
		}

		i += 1 + n

		b.WriteByte('-')
		writeRune(b, high)
	}
}

func class(b *strings.Builder, rest string) (int, error) {
	for _, name := range classes {
		if text := "[:" + name + ":]"; strings.HasPrefix(rest, text) {
			b.WriteString(text)
			return len(text), nil
		}
	}

	return 0, fmt.Errorf("%q is no class of characters", clip(rest))
}

// element returns one character of a bracket expression, also as [.x.] or [=x=].
func element(rest string) (rune, int, error) {
	for _, mark := range []string{".", "="} {
		if after, found := strings.CutPrefix(rest, "["+mark); found {
			c, n := utf8.DecodeRuneInString(after)
			if n == 0 || !strings.HasPrefix(after[n:], mark+"]") {
				return 0, 0, fmt.Errorf("%q is no collating element", clip(rest))
			}

			return c, n + 4, nil
		}
	}

	c, n := utf8.DecodeRuneInString(rest)

	return c, n, nil
}

func writeRune(b *strings.Builder, c rune) { fmt.Fprintf(b, `\x{%x}`, c) }

func clip(s string) string {
	const enough = 100

	if len(s) > enough {
		return s[:enough] + "…"
	}

	return s
}
