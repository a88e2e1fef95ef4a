package ims

import (
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

const (
	maxText   = 32 << 10 // octets of one header field
	maxValues = 100      // in the comma lists of one header
)

// list returns the values in the comma-separated lists of one header's fields, without empty ones.
func list(fields []string) ([]string, error) {
	var values []string

	for _, field := range fields {
		if len(field) > maxText {
			return nil, fmt.Errorf("%w: %d octets", grammar.ErrSyntax, len(field))
		}

		for value := range grammar.List(field) {
			if len(values) == maxValues {
				return nil, fmt.Errorf("%w: more than %d values", grammar.ErrSyntax, maxValues)
			}

			values = append(values, value)
		}
	}

	return values, nil
}
