package rating

import (
	"errors"
	"fmt"
)

// Terms are the parts of a price list other than prices.
type Terms struct {
	FinalUnit  *FinalUnit `json:"final_unit,omitempty"`  // nil: the configured one
	LowBalance *int64     `json:"low_balance,omitempty"` // minor units; nil: the configured ones
}

func (t *Terms) validate() error {
	if t.LowBalance != nil && (*t.LowBalance < 0 || *t.LowBalance > MaxPrice) {
		return errors.New("low_balance is negative or beyond any price")
	}

	if t.FinalUnit == nil {
		return nil
	}

	return t.FinalUnit.Validate()
}

// Actions after the last units (RFC 8506 §8.35).
const (
	Terminate = "terminate"
	Redirect  = "redirect"
	Restrict  = "restrict"
)

// FinalUnit is what the network function does when the last units that an account can pay are used (RFC 8506 §5.6).
type FinalUnit struct {
	Action   string   `json:"action"                     yaml:"action"`           // terminate, redirect or restrict
	Redirect string   `json:"redirect_address,omitempty" yaml:"redirect_address"` // sip: or http: URI, or IP address
	Filters  []string `json:"filter_ids,omitempty"       yaml:"filter_ids"`       // of the network function, for restrict
	Rules    []string `json:"filter_rules,omitempty"     yaml:"filter_rules"`     // IPFilterRules, for restrict
}

// Validate returns an error if no network function could comply.
func (f *FinalUnit) Validate() error {
	filters := len(f.Filters) + len(f.Rules)

	switch {
	case f.Action == Terminate && f.Redirect == "" && filters == 0,
		f.Action == Redirect && f.Redirect != "" && filters == 0,
		f.Action == Restrict && filters > 0 && f.Redirect == "":
		return nil
	default:
		return fmt.Errorf(
			"final_unit: %q is not terminate, redirect with a redirect_address, or restrict with filter_ids or filter_rules",
			f.Action,
		)
	}
}
