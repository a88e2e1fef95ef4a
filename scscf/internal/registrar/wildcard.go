package registrar

import (
	"fmt"
	"regexp"
	"strings"
)

// Wildcard is a wildcarded public identity: a URI with an expression between exclamation marks (TS 23.003 §13.5).
type Wildcard struct{ expression *regexp.Regexp }

// parseWildcard reads one; a URI without exclamation marks is none.
func parseWildcard(uri string) (*Wildcard, error) {
	before, rest, opened := strings.Cut(uri, "!")
	if !opened {
		return nil, nil
	}

	end := strings.LastIndexByte(rest, '!')
	if end < 0 {
		return nil, nil // a lone exclamation mark may stand in a user part
	}

	expression, err := regexp.CompilePOSIX("^" + regexp.QuoteMeta(before) + "(" + rest[:end] + ")" + regexp.QuoteMeta(rest[end+1:]) + "$")
	if err != nil {
		return nil, fmt.Errorf("wildcarded identity %s: %w", uri, err)
	}

	return &Wildcard{expression}, nil
}

// Matches tells whether a canonical URI is one of the identities meant.
func (w *Wildcard) Matches(uri string) bool { return w.expression.MatchString(uri) }
