package rating

import (
	"cmp"
	"fmt"
	"time"
)

// Terms are how units are granted. A rate's own replace those of the plan, and those the configured ones, one by one. Times are in seconds.
type Terms struct {
	Seconds uint64 `json:"seconds,omitempty" yaml:"seconds"` // granted when a request names no amount
	Octets  uint64 `json:"octets,omitempty"  yaml:"octets"`
	Events  uint64 `json:"events,omitempty"  yaml:"events"`

	Validity        uint32 `json:"validity,omitempty"         yaml:"validity"`         // Validity-Time (RFC 8506 §8.33)
	Threshold       uint32 `json:"threshold,omitempty"        yaml:"threshold"`        // Time-Quota-Threshold (TS 32.299 §7.2)
	ThresholdOctets uint32 `json:"threshold_octets,omitempty" yaml:"threshold_octets"` // Volume-Quota-Threshold
	Holding         uint32 `json:"holding,omitempty"          yaml:"holding"`          // Quota-Holding-Time

	// Overdraft is how many minor units below zero the account may come by use beyond the grant: of a plan, not of a rate.
	Overdraft *int64 `json:"overdraft,omitempty" yaml:"overdraft"`
	// Failure is what the network function does without the OCS: terminate, continue, retry (RFC 8506 §8.14). Of a plan, not of a rate.
	Failure string `json:"failure_handling,omitempty" yaml:"failure_handling" jsonschema:"enum=terminate,enum=continue,enum=retry"`
	// Share is the priority of a service among those that want the same money: the lower number goes first, equals share it in proportion.
	Share int `json:"share,omitempty" yaml:"share"`
}

// Terms returns how units are granted at an instant: as the rate in force says, else the plan. What neither says is zero.
func (m *Meter) Terms(at time.Time) (t Terms) {
	if m.plan.Quota != nil {
		t = *m.plan.Quota
	}

	if m.unit == Money {
		return t
	}

	r := m.rateAt(at)
	if r == nil || r.Quota == nil {
		return t
	}

	own := r.Quota
	t.Seconds, t.Octets, t.Events = cmp.Or(own.Seconds, t.Seconds), cmp.Or(own.Octets, t.Octets), cmp.Or(own.Events, t.Events)
	t.Validity, t.Holding = cmp.Or(own.Validity, t.Validity), cmp.Or(own.Holding, t.Holding)
	t.Threshold, t.ThresholdOctets = cmp.Or(own.Threshold, t.Threshold), cmp.Or(own.ThresholdOctets, t.ThresholdOctets)
	t.Share = cmp.Or(own.Share, t.Share)

	return t
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
