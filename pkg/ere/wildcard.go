package ere

import (
	"fmt"
	"regexp"
	"strings"
)

// Wildcard is a wildcarded public identity (TS 23.003 §13.5): a URI with an extended regular expression between two exclamation
// marks, "sip:chat-!.*!@example.org". The expression is the same as in filter criteria.
type Wildcard struct {
	before, after string
	expression    *regexp.Regexp
}

// ParseWildcard parses a wildcarded identity; for one without two exclamation marks it returns nil.
func ParseWildcard(identity string) (*Wildcard, error) {
	before, rest, _ := strings.Cut(identity, "!")
	end := strings.LastIndexByte(rest, '!')

	if end < 0 { // a lone exclamation mark may stand in a user part
		return nil, nil
	}

	expression, err := Compile(rest[:end])
	if err != nil {
		return nil, fmt.Errorf("wildcarded identity: %w", err)
	}

	expression.Longest()

	return &Wildcard{before: before, after: rest[end+1:], expression: expression}, nil
}

// Matches reports whether a canonical identity matches: the expression stands for all between the text before and the text after it.
func (w *Wildcard) Matches(identity string) bool {
	middle, found := strings.CutPrefix(identity, w.before)
	if !found {
		return false
	}

	if middle, found = strings.CutSuffix(middle, w.after); !found {
		return false
	}

	at := w.expression.FindStringIndex(middle)

	return at != nil && at[0] == 0 && at[1] == len(middle)
}
