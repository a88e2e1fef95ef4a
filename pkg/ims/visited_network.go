package ims

import "github.com/dialtone-ims/dialtone/pkg/sip/grammar"

// VisitedNetwork is one value of P-Visited-Network-ID (RFC 7315 §4.3).
type VisitedNetwork struct {
	ID     string
	Params grammar.Params
}

// ParseVisitedNetworks parses all values of the header, in order.
func ParseVisitedNetworks(fields ...string) ([]VisitedNetwork, error) {
	values, err := list(fields)
	if err != nil {
		return nil, err
	}

	all := make([]VisitedNetwork, 0, len(values))

	for _, value := range values {
		id, params, err := grammar.ParseValue(value)
		if err != nil {
			return nil, err
		}

		all = append(all, VisitedNetwork{ID: id, Params: params})
	}

	return all, nil
}

// String returns the value, in quotes. The grammar allows a token as well, and every reader must accept both.
func (v VisitedNetwork) String() string { return grammar.Quote(v.ID) + v.Params.String() }
