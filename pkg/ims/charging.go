package ims

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// ChargingVector is P-Charging-Vector (RFC 7315 §4.6, TS 24.229 §7.2A.5).
type ChargingVector struct {
	ICID            string
	GeneratedAt     string
	OriginatingIOI  string
	TerminatingIOI  string
	OtherParameters []string // as they came
}

// NewICID returns an IMS charging identifier (TS 32.260 §5.2.4.11).
func NewICID() string { return rand.Text() }

// ParseChargingVector parses the header and keeps unknown parameters. For a header that it cannot parse it returns an empty vector,
// which has no ICID.
func ParseChargingVector(value string) ChargingVector {
	if len(value) > maxText {
		return ChargingVector{}
	}

	params, err := grammar.ParseParamList(value)
	if err != nil {
		return ChargingVector{}
	}

	var v ChargingVector

	for _, p := range params {
		switch {
		case strings.EqualFold(p.Name, "icid-value"):
			v.ICID = p.Text()
		case strings.EqualFold(p.Name, "icid-generated-at"):
			v.GeneratedAt = p.Text()
		case strings.EqualFold(p.Name, "orig-ioi"):
			v.OriginatingIOI = p.Text()
		case strings.EqualFold(p.Name, "term-ioi"):
			v.TerminatingIOI = p.Text()
		default:
			v.OtherParameters = append(v.OtherParameters, p.String())
		}
	}

	return v
}

// String returns the header field value.
func (v ChargingVector) String() string {
	all := make([]string, 0, 4+len(v.OtherParameters))

	add := func(value string, param grammar.Param) {
		if value != "" {
			all = append(all, param.String())
		}
	}

	add(v.ICID, grammar.QuotedParam("icid-value", v.ICID))
	add(v.GeneratedAt, grammar.NewParam("icid-generated-at", v.GeneratedAt))
	add(v.OriginatingIOI, grammar.QuotedParam("orig-ioi", v.OriginatingIOI))
	add(v.TerminatingIOI, grammar.QuotedParam("term-ioi", v.TerminatingIOI))

	return strings.Join(append(all, v.OtherParameters...), ";")
}

// ChargingFunctions is P-Charging-Function-Addresses (RFC 7315 §4.5): a primary and a secondary address of each kind. Empty ones are
// left out.
type ChargingFunctions struct {
	Collection []string // ccf: offline, Rf
	Event      []string // ecf: online, Ro
}

// String returns the header field value, or "" if there are no addresses.
func (c ChargingFunctions) String() string {
	var all []string

	add := func(addresses []string, names ...string) {
		addresses = slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a == "" })

		for i, name := range names[:min(len(names), len(addresses))] {
			param := grammar.NewParam(name, addresses[i])
			if strings.Contains(addresses[i], ":") {
				param = grammar.QuotedParam(name, addresses[i])
			}

			all = append(all, param.String())
		}
	}

	add(c.Collection, "ccf", "ccf-2")
	add(c.Event, "ecf", "ecf-2")

	return strings.Join(all, ";")
}
