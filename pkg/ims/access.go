package ims

import (
	"slices"
	"strings"
)

// AccessNetworkInfo is one value of P-Access-Network-Info (RFC 7315 §4.4, TS 24.229 §7.2A.4).
type AccessNetworkInfo struct {
	Type       string // "3GPP-E-UTRAN-FDD", "IEEE-802.11", …
	Parameters Parameters
}

// ParseAccessNetworkInfo reads all values of the header: the handset's word, and perhaps the network's.
func ParseAccessNetworkInfo(fields ...string) ([]AccessNetworkInfo, error) {
	values, err := list(fields)
	if err != nil {
		return nil, err
	}

	all := make([]AccessNetworkInfo, 0, len(values))

	for _, value := range values {
		kind, parameters, err := token(value)
		if err != nil {
			return nil, err
		}

		all = append(all, AccessNetworkInfo{Type: kind, Parameters: parameters})
	}

	return all, nil
}

// String writes the value.
func (a AccessNetworkInfo) String() string { return a.Type + a.Parameters.String() }

// NetworkProvided tells that a proxy put the value there, and not the handset.
func (a AccessNetworkInfo) NetworkProvided() bool {
	_, found := a.Parameters.Get("network-provided")
	return found
}

// Cell is the cell or access point, whatever the kind of access calls it; "" if there is none.
func (a AccessNetworkInfo) Cell() string {
	for _, name := range []string{
		"utran-cell-id-3gpp",
		"cgi-3gpp",
		"utran-sai-3gpp",
		"i-wlan-node-id",
		"ci-3gpp2",
		"dsl-location",
		"eth-location",
	} {
		if value, found := a.Parameters.Get(name); found {
			return value
		}
	}

	return ""
}

// VisitedNetwork is one value of P-Visited-Network-ID (RFC 7315 §4.3).
type VisitedNetwork struct {
	ID         string
	Parameters Parameters
}

// ParseVisitedNetworks reads all values of the header, in order.
func ParseVisitedNetworks(fields ...string) ([]VisitedNetwork, error) {
	values, err := list(fields)
	if err != nil {
		return nil, err
	}

	all := make([]VisitedNetwork, 0, len(values))

	for _, value := range values {
		id, parameters, err := tokenOrQuoted(value)
		if err != nil {
			return nil, err
		}

		all = append(all, VisitedNetwork{ID: id, Parameters: parameters})
	}

	return all, nil
}

// String writes the value, in quotes: the grammar allows a token too, but a reader must take both.
func (v VisitedNetwork) String() string {
	var b strings.Builder

	writeQuoted(&b, v.ID)

	return b.String() + v.Parameters.String()
}

// Privacy is the Privacy header (RFC 3323 §4.2): the privacy that a user asks for.
type Privacy []string

// ParsePrivacy reads the header: values between semicolons, or between commas as some write it.
func ParsePrivacy(fields ...string) (Privacy, error) {
	values, err := list(fields)
	if err != nil {
		return nil, err
	}

	var all Privacy

	for _, value := range values {
		pieces, err := split(value, ';')
		if err != nil {
			return nil, err
		}

		for _, piece := range pieces {
			piece = strings.ToLower(strings.TrimSpace(piece))
			if piece != "" && !all.Has(piece) {
				all = append(all, piece)
			}
		}
	}

	return all, nil
}

// Has reports whether a kind of privacy is asked for. "none" asks for none, whatever stands beside it (RFC 3323 §4.2).
func (p Privacy) Has(kind string) bool { return slices.Contains(p, kind) }

// HidesIdentity tells that the asserted identity must not leave the trust domain (RFC 3325 §7).
func (p Privacy) HidesIdentity() bool { return p.Has("id") && !p.Has("none") }

// String writes the header.
func (p Privacy) String() string { return strings.Join(p, ";") }
