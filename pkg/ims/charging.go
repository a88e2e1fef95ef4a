package ims

import (
	"crypto/rand"
	"slices"
	"strings"
)

// ChargingVector is P-Charging-Vector (RFC 7315 §4.6, TS 24.229 §7.2A.5).
type ChargingVector struct {
	ICID            string
	GeneratedAt     string
	OriginatingIOI  string
	TerminatingIOI  string
	OtherParameters []string // as they came
}

// NewICID is an IMS charging identifier (TS 32.260 §5.2.4.11).
func NewICID() string { return rand.Text() }

// ParseChargingVector reads the header; what it does not know it keeps. A header that cannot be read is an empty vector: one
// without ICID.
func ParseChargingVector(value string) ChargingVector {
	pieces, err := split(value, ';')
	if err != nil {
		return ChargingVector{}
	}

	parameters, err := parseParameters(pieces)
	if err != nil {
		return ChargingVector{}
	}

	var v ChargingVector

	for _, p := range parameters {
		switch {
		case strings.EqualFold(p.Name, "icid-value"):
			v.ICID = p.Value
		case strings.EqualFold(p.Name, "icid-generated-at"):
			v.GeneratedAt = p.Value
		case strings.EqualFold(p.Name, "orig-ioi"):
			v.OriginatingIOI = p.Value
		case strings.EqualFold(p.Name, "term-ioi"):
			v.TerminatingIOI = p.Value
		default:
			var b strings.Builder

			p.write(&b)
			v.OtherParameters = append(v.OtherParameters, b.String())
		}
	}

	return v
}

// String writes the header.
func (v ChargingVector) String() string {
	var b strings.Builder

	add := func(name, value string, quoted bool) {
		if value == "" {
			return
		}

		if b.Len() > 0 {
			b.WriteByte(';')
		}

		Parameter{Name: name, Value: value, Quoted: quoted}.write(&b)
	}

	add("icid-value", v.ICID, true)
	add("icid-generated-at", v.GeneratedAt, false)
	add("orig-ioi", v.OriginatingIOI, true)
	add("term-ioi", v.TerminatingIOI, true)

	for _, other := range v.OtherParameters {
		if b.Len() > 0 {
			b.WriteByte(';')
		}

		b.WriteString(other)
	}

	return b.String()
}

// ChargingFunctions is P-Charging-Function-Addresses (RFC 7315 §4.5): where charging data go, the first being the primary.
type ChargingFunctions struct {
	Collection      []string // ccf: offline, Rf
	Event           []string // ecf: online, Ro
	OtherParameters Parameters
}

// ParseChargingFunctions reads the header: ccf and ccf-2, and also the ccf that comes twice as in RFC 3455.
func ParseChargingFunctions(fields ...string) (ChargingFunctions, error) {
	var all ChargingFunctions

	values, err := list(fields)
	if err != nil {
		return all, err
	}

	for _, value := range values {
		pieces, err := split(value, ';')
		if err != nil {
			return all, err
		}

		parameters, err := parseParameters(pieces)
		if err != nil {
			return all, err
		}

		for _, p := range parameters {
			switch strings.ToLower(p.Name) {
			case "ccf", "ccf-2":
				all.Collection = append(all.Collection, p.Value)
			case "ecf", "ecf-2":
				all.Event = append(all.Event, p.Value)
			default:
				all.OtherParameters = append(all.OtherParameters, p)
			}
		}
	}

	return all, nil
}

// String writes the header; "" if there is nothing to write. The grammar has a first and a second address of each kind.
func (c ChargingFunctions) String() string {
	var all Parameters

	add := func(addresses []string, names ...string) {
		addresses = slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a == "" })

		for i, name := range names {
			if i < len(addresses) {
				all = append(all, Parameter{Name: name, Value: addresses[i], Quoted: strings.Contains(addresses[i], ":")})
			}
		}
	}

	add(c.Collection, "ccf", "ccf-2")
	add(c.Event, "ecf", "ecf-2")

	return strings.TrimPrefix(append(all, c.OtherParameters...).String(), ";")
}
