package subscriber

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// EPS is the data of a SIM that an EPC gets (TS 29.272 §7.3.2). Without APNs the SIM has no EPS subscription.
type EPS struct {
	DefaultAPN string        `json:"default_apn,omitempty" yaml:"default_apn"` // the first of apns unless given
	AMBR       BitRates      `json:"ambr"                  yaml:"ambr"`        // of all APNs together
	NotAllowed []RadioAccess `json:"not_allowed,omitempty" yaml:"not_allowed"` // radios that it may not use
	Zones      []string      `json:"zones,omitempty"       yaml:"-"`           // where it may be (TS 23.003 §4.4), hexadecimal; none: anywhere
	APNs       []APN         `json:"apns,omitempty"        yaml:"apns"`
}

// BitRates are maximum rates in bit/s.
type BitRates struct {
	Uplink   uint32 `json:"uplink"   yaml:"uplink"`
	Downlink uint32 `json:"downlink" yaml:"downlink"`
}

// APN is an APN that a SIM may open a PDN connection to (TS 29.272 §7.3.35).
type APN struct {
	Name      string   `json:"name"                yaml:"name"`
	PDNType   PDNType  `json:"pdn_type"            yaml:"pdn_type"`
	QCI       uint32   `json:"qci"                 yaml:"qci"` // of the default bearer (TS 23.203 §6.1.7.2)
	ARP       ARP      `json:"arp"                 yaml:"arp"`
	AMBR      BitRates `json:"ambr"                yaml:"ambr"`
	Addresses []string `json:"addresses,omitempty" yaml:"addresses"` // static, at most one of each family

	// Context is the Context-Identifier by which an MME knows the APN; 0: by its place. Number sets it.
	Context uint32 `json:"context_identifier,omitempty" yaml:"-"`
}

// ARP is Allocation-Retention-Priority (TS 29.212 §5.3.32).
type ARP struct {
	Priority    uint32 `json:"priority"              yaml:"priority"` // 1, the highest, to 15
	Preempts    bool   `json:"preempts,omitempty"    yaml:"preempts"` // may take others' resources
	Preemptible bool   `json:"preemptible,omitempty" yaml:"preemptible"`
}

// PDNType is the kind of addresses of a PDN connection.
type PDNType string

// The PDN types of TS 29.272 §7.3.62.
const (
	IPv4   PDNType = "ipv4"
	IPv6   PDNType = "ipv6"
	IPv4v6 PDNType = "ipv4v6"
)

// RadioAccess is a radio that a SIM may be barred from (TS 29.272 §7.3.31).
type RadioAccess string

// The kinds of E-UTRAN that an MME serves.
const (
	WBEUTRAN RadioAccess = "wb-e-utran"
	NBIoT    RadioAccess = "nb-iot"
	LTEM     RadioAccess = "lte-m"
)

// maxAPNs is the most APNs of a subscription; some MMEs take no more than four.
const maxAPNs = 16

const (
	maxZones   = 10 // TS 29.002 §17.7.1
	maxContext = 50 // TS 29.272 §7.3.27
)

// Validate returns an error naming the field if an MME could not be given the data.
func (e *EPS) Validate() error {
	var errs []error

	refuse := func(bad bool, format string, arguments ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, arguments...))
		}
	}

	refuse(len(e.APNs) > maxAPNs, "apns: %d are more than %d", len(e.APNs), maxAPNs)
	refuse(len(e.APNs) > 0 && (e.AMBR.Uplink == 0 || e.AMBR.Downlink == 0), "ambr: uplink and downlink are both needed")
	refuse(e.DefaultAPN != "" && e.indexOf(e.DefaultAPN) < 0, "default_apn: %q is none of apns", e.DefaultAPN)

	for _, radio := range e.NotAllowed {
		refuse(!slices.Contains([]RadioAccess{WBEUTRAN, NBIoT, LTEM}, radio), "not_allowed: %q is none of %s, %s and %s",
			radio, WBEUTRAN, NBIoT, LTEM)
	}

	refuse(len(e.Zones) > maxZones, "zones: %d are more than %d", len(e.Zones), maxZones)

	for _, zone := range e.Zones {
		octets, err := hex.DecodeString(zone)
		refuse(err != nil || len(octets) != 2, "zones: %q is not four hexadecimal digits", zone)
	}

	contexts := map[uint32]bool{}

	for i := range e.APNs {
		context := e.APNs[i].Context
		refuse(context > maxContext, "apns: %q: context_identifier: %d is not 1 to %d", e.APNs[i].Name, context, maxContext)
		refuse(context != 0 && contexts[context], "apns: %q: context_identifier: %d stands twice", e.APNs[i].Name, context)
		contexts[context] = true

		refuse(e.indexOf(e.APNs[i].Name) != i, "apns: %s stands twice", e.APNs[i].Name)

		if err := e.APNs[i].validate(); err != nil {
			errs = append(errs, fmt.Errorf("apns: %q: %w", e.APNs[i].Name, err))
		}
	}

	return errors.Join(errs...)
}

func (a *APN) validate() error {
	switch {
	case !networkIdentifier(a.Name):
		return errors.New("it is no APN network identifier (TS 23.003 §9.1.1): labels of letters, digits and hyphens")
	case a.PDNType != IPv4 && a.PDNType != IPv6 && a.PDNType != IPv4v6:
		return fmt.Errorf("pdn_type: %q is none of %s, %s and %s", a.PDNType, IPv4, IPv6, IPv4v6)
	case a.QCI < 1 || a.QCI > 254:
		return fmt.Errorf("qci: %d is not 1 to 254", a.QCI)
	case a.ARP.Priority < 1 || a.ARP.Priority > 15:
		return fmt.Errorf("arp.priority: %d is not 1 to 15", a.ARP.Priority)
	case a.AMBR.Uplink == 0 || a.AMBR.Downlink == 0:
		return errors.New("ambr: uplink and downlink are both needed")
	}

	seen := map[bool]bool{}

	for _, text := range a.Addresses {
		address, err := netip.ParseAddr(text)

		switch {
		case err != nil || address.Zone() != "" || address.Is4In6():
			return fmt.Errorf("addresses: %q is no address", text)
		case seen[address.Is4()]:
			return errors.New("addresses: there may be one of each family")
		case address.Is4() && a.PDNType == IPv6, address.Is6() && a.PDNType == IPv4:
			return fmt.Errorf("addresses: %s does not go with pdn_type %s", text, a.PDNType)
		}

		seen[address.Is4()] = true
	}

	return nil
}

// networkIdentifier reports whether a name is one of TS 23.003 §9.1.1: like those of DNS, at most 62 characters long.
func networkIdentifier(name string) bool {
	if name == "" || len(name) > 62 {
		return false
	}

	for label := range strings.SplitSeq(name, ".") {
		bad := func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}

		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, bad) {
			return false
		}
	}

	return true
}

// indexOf returns the index of an APN, or -1. Case does not matter.
func (e *EPS) indexOf(apn string) int {
	return slices.IndexFunc(e.APNs, func(a APN) bool { return strings.EqualFold(a.Name, apn) })
}

// ContextOf returns the Context-Identifier of the APN at an index, which is never 0 (TS 29.272 §7.3.27).
func (e *EPS) ContextOf(index int) uint32 {
	if context := e.APNs[index].Context; context != 0 {
		return context
	}

	return uint32(index + 1)
}

// Number gives the APNs that have no Context-Identifier one: that which an APN of this name had before, or else one that is free, so that
// an MME that knows some of them is not misled.
func (e *EPS) Number(before *EPS) {
	taken := map[uint32]bool{}
	for i := range e.APNs {
		taken[e.APNs[i].Context] = true
	}

	if before != nil {
		for i := range before.APNs {
			context, at := before.ContextOf(i), e.indexOf(before.APNs[i].Name)
			if at >= 0 && e.APNs[at].Context == 0 && !taken[context] {
				e.APNs[at].Context, taken[context] = context, true
			}
		}
	}

	next := uint32(1)

	for i := range e.APNs {
		for e.APNs[i].Context == 0 {
			if !taken[next] {
				e.APNs[i].Context, taken[next] = next, true
			}

			next++
		}
	}
}

// Default returns the index of the default APN.
func (e *EPS) Default() int { return max(0, e.indexOf(e.DefaultAPN)) }

// Location is the MME that serves a SIM, and its mobile network (TS 29.272 §5.2.1.1).
type Location struct {
	Host   string // Diameter identity; "": never located
	Realm  string
	PLMN   string    // MCC-MNC
	IMEI   string    // with the software version, if the MME states it
	Since  time.Time // of its last Update-Location
	Purged bool      // the MME has purged the SIM since

	Features uint32 // of list 1 that both sides have (TS 29.272 §7.3.10)
}

// PGW is the PDN gateway of an APN in use (TS 29.272 §7.3.45), as the node that serves the SIM has reported it.
type PGW struct {
	APN       string   `json:"apn"`
	Host      string   `json:"host,omitempty"`
	Realm     string   `json:"realm,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Network   string   `json:"network,omitempty"` // where it is, if not at home
}

// Gateway returns the gateway of an APN, or nil.
func (p *PrivateIdentity) Gateway(apn string) *PGW {
	for i := range p.PGWs {
		if strings.EqualFold(p.PGWs[i].APN, apn) {
			return &p.PGWs[i]
		}
	}

	return nil
}

// SetGateway records the gateway of an APN.
func (p *PrivateIdentity) SetGateway(g PGW) {
	all := slices.DeleteFunc(slices.Clone(p.PGWs), func(other PGW) bool { return strings.EqualFold(other.APN, g.APN) })
	p.PGWs = append(all, g)
}

// Served reports whether the MME holds the data of the SIM.
func (l *Location) Served() bool { return l.Host != "" && !l.Purged }

// At reports whether this is the MME with these names.
func (l *Location) At(host, realm string) bool {
	return strings.EqualFold(l.Host, host) && strings.EqualFold(l.Realm, realm)
}

// SIM returns the private identity with an IMSI and its subscription, or nils.
func (t *Tx) SIM(imsi string) (*Subscription, *PrivateIdentity, error) {
	if imsi == "" {
		return nil, nil, nil
	}

	var identities []string

	err := t.db.Raw("SELECT identity FROM private_identities WHERE imsi = ? ORDER BY id LIMIT 1", imsi).Scan(&identities).Error
	if err != nil {
		return nil, nil, fmt.Errorf("IMSI %s: %w", imsi, err)
	}

	if len(identities) == 0 {
		return nil, nil, nil
	}

	who, err := t.Identities(identities[0], "")

	return who.Subscription, who.Private, err
}

// SaveLocation saves where a SIM is.
func (t *Tx) SaveLocation(s *Subscription, p *PrivateIdentity) error {
	t.moved = append(t.moved, s)

	err := t.db.Model(p).
		Select("mme_host", "mme_realm", "mme_plmn", "mme_imei", "mme_since", "mme_purged", "mme_features", "pgws").Updates(p).Error
	if err != nil {
		return fmt.Errorf("location of %s: %w", p.Identity, err)
	}

	return nil
}
