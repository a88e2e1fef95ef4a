package ims

import (
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// Privacy is the Privacy header field (RFC 3323 §4.2): the kinds of privacy that a user asks for.
type Privacy []string

// ParsePrivacy parses the header field. Values are separated by semicolons or, as some write it, by commas.
func ParsePrivacy(fields ...string) (Privacy, error) {
	values, err := list(fields)
	if err != nil {
		return nil, err
	}

	var all Privacy

	for _, value := range values {
		pieces, err := grammar.Split(value, ';')
		if err != nil {
			return nil, err
		}

		for _, piece := range pieces {
			if piece = strings.ToLower(piece); !all.has(piece) {
				all = append(all, piece)
			}
		}
	}

	return all, nil
}

// has reports whether a kind of privacy is asked for.
func (p Privacy) has(kind string) bool { return slices.Contains(p, kind) }

// HidesIdentity reports whether the asserted identity must not leave the trust domain (RFC 3325 §7). "none" asks for no privacy,
// whatever else is listed (RFC 3323 §4.2).
func (p Privacy) HidesIdentity() bool { return p.has("id") && !p.has("none") }

// String returns the header field value.
func (p Privacy) String() string { return strings.Join(p, ";") }
