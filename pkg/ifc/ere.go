package ifc

import (
	"fmt"
	"regexp"
)

const maxExpression = 4096 // octets

// compileERE compiles a POSIX extended regular expression (TS 29.228 annex F; IEEE 1003.1 chapter 9). Go's engine takes the
// ERE syntax, matches leftmost-longest, and needs time linear in the text. Back-references, which ERE does not have, are
// refused.
func compileERE(expression string) (*regexp.Regexp, error) {
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("an expression of %d octets", len(expression))
	}

	compiled, err := regexp.CompilePOSIX(expression)
	if err == nil {
		return compiled, nil
	}

	// In the field \d, \w and the like are found, which ERE leaves undefined.
	if compiled, lenient := regexp.Compile(expression); lenient == nil {
		return compiled, nil
	}

	return nil, fmt.Errorf("expression %q: %w", expression, err)
}
