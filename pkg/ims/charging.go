package ims

import (
	"crypto/rand"
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

// ParseChargingVector reads the header; what it does not know it keeps.
func ParseChargingVector(value string) ChargingVector {
	var v ChargingVector

	for part := range strings.SplitSeq(value, ";") {
		part = strings.TrimSpace(part)
		name, text, _ := strings.Cut(part, "=")
		text = strings.Trim(strings.TrimSpace(text), `"`)

		switch strings.ToLower(strings.TrimSpace(name)) {
		case "icid-value":
			v.ICID = text
		case "icid-generated-at":
			v.GeneratedAt = text
		case "orig-ioi":
			v.OriginatingIOI = text
		case "term-ioi":
			v.TerminatingIOI = text
		case "":
		default:
			v.OtherParameters = append(v.OtherParameters, part)
		}
	}

	return v
}

// String writes the header.
func (v ChargingVector) String() string {
	var b strings.Builder

	add := func(name, value string) {
		if value == "" {
			return
		}

		if b.Len() > 0 {
			b.WriteByte(';')
		}

		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(value)
	}

	add("icid-value", quote(v.ICID))
	add("icid-generated-at", v.GeneratedAt)
	add("orig-ioi", quote(v.OriginatingIOI))
	add("term-ioi", quote(v.TerminatingIOI))

	for _, other := range v.OtherParameters {
		b.WriteByte(';')
		b.WriteString(other)
	}

	return b.String()
}

func quote(s string) string {
	if s == "" {
		return ""
	}

	return `"` + strings.ReplaceAll(s, `"`, "") + `"`
}

// CommonlyTrusted are the headers that mean something only inside the trust domain: a handset may not send them and does not
// get them (TS 24.229 §4.4, §5.2.6.3, §5.2.6.4).
var CommonlyTrusted = []string{
	"P-Charging-Vector", "P-Charging-Function-Addresses", "P-Asserted-Service", "P-Profile-Key", "P-User-Database",
	"P-Served-User", "P-Private-Network-Indication", "P-Visited-Network-ID",
}
