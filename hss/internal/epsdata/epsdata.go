// Package epsdata derives the subscription data that an MME gets of a SIM, and where a SIM may attach. Both the procedures of S6a and the
// pushes of the HSS use it.
package epsdata

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// Subscription returns the EPS subscription of a SIM: its own, or the default one. nil: it has none.
func Subscription(p *subscriber.PrivateIdentity, defaults *subscriber.EPS) *subscriber.EPS {
	own := p.EPS
	if own == nil {
		own = defaults
	}

	if p.Scheme != subscriber.AKA || len(own.APNs) == 0 {
		return nil
	}

	return own
}

// MayAttach reports whether a SIM may be served in a network: always in its own, elsewhere by the rules of Cx.
func MayAttach(p *subscriber.PrivateIdentity, plmn s6a.PLMN) bool {
	return plmn.Home(p.IMSI) || MayAttachIn(p, plmn.Domain())
}

// MayAttachIn is MayAttach for a network named by its domain, "mnc001.mcc001.3gppnetwork.org" (TS 29.273 §9.2.3.1.2).
func MayAttachIn(p *subscriber.PrivateIdentity, domain string) bool {
	var mnc, mcc string
	if _, err := fmt.Sscanf(strings.ToLower(domain), "mnc%3s.mcc%3s.3gppnetwork.org", &mnc, &mcc); err == nil &&
		(strings.HasPrefix(p.IMSI, mcc+mnc) || strings.HasPrefix(mnc, "0") && strings.HasPrefix(p.IMSI, mcc+mnc[1:])) {
		return true
	}

	return p.MayRoam(domain) || p.MayRoam("ims."+domain) || p.MayRoam("epc."+domain)
}

// MayStay is MayAttach for the network that a SIM is in.
func MayStay(p *subscriber.PrivateIdentity) bool {
	mcc, mnc, known := strings.Cut(p.MME.PLMN, "-")

	return !known || MayAttach(p, s6a.PLMN{MCC: mcc, MNC: mnc})
}

// Withdrawn reports whether a SIM has no EPS subscription, whatever the default is.
func Withdrawn(p *subscriber.PrivateIdentity) bool {
	return p.Scheme != subscriber.AKA || p.EPS != nil && len(p.EPS.APNs) == 0
}

// restrictions maps radios to the bits of Access-Restriction-Data.
var restrictions = map[subscriber.RadioAccess]s6a.AccessRestriction{
	subscriber.WBEUTRAN: s6a.WBEUTRANNotAllowed, subscriber.NBIoT: s6a.NBIoTNotAllowed, subscriber.LTEM: s6a.LTEMNotAllowed,
}

var pdnTypes = map[subscriber.PDNType]s6a.PDNType{
	subscriber.IPv4: s6a.IPv4, subscriber.IPv6: s6a.IPv6, subscriber.IPv4v6: s6a.IPv4v6,
}

// Of returns Subscription-Data (TS 29.272 §7.3.2) of a SIM for the MME that serves it: all of it, with all APNs.
func Of(e *subscriber.EPS, p *subscriber.PrivateIdentity) s6a.SubscriptionData {
	var (
		granted, packetAndCircuit uint32
		restricted                s6a.AccessRestriction
	)

	for _, radio := range e.NotAllowed {
		restricted |= restrictions[radio]
	}

	data := s6a.SubscriptionData{
		SubscriberStatus: &granted, NetworkAccessMode: &packetAndCircuit, AccessRestriction: &restricted, AMBR: ambr(e.AMBR),
		Profile: s6a.APNProfile{Default: e.ContextOf(e.Default())},
	}

	switch {
	case len(e.Zones) == 0:
	case p.MME.Features&s6a.FeatureRegionalSubscription == 0: // it must not serve the SIM anywhere (TS 29.272 §5.2.1.1.3)
		data.RoamingRestricted = new(uint32)
	default:
		data.Zones = zones(e.Zones)
	}

	if number := strings.TrimPrefix(p.MSISDN, "+"); number != "" && !strings.ContainsFunc(number, noDigit) {
		data.MSISDN = s6a.TBCD(number)
	}

	data.Profile.APNs = apns(e, p)

	return data
}

// OfAAA returns Non-3GPP-User-Data (TS 29.273 §8.2.3.1): the same subscription for an AAA server.
func OfAAA(e *subscriber.EPS, p *subscriber.PrivateIdentity) *swx.UserData {
	allowed, enabled, first := swx.SubscriptionAllowed, swx.APNsEnabled, e.ContextOf(e.Default())
	data := &swx.UserData{Access: &allowed, APNAccess: &enabled, AMBR: ambr(e.AMBR), Default: &first, APNs: apns(e, p)}

	if number := strings.TrimPrefix(p.MSISDN, "+"); number != "" {
		data.Subscription = []swx.SubscriptionID{{Type: swx.EndUserE164, Data: number}}
	}

	return data
}

// apns returns the APN-Configurations of a subscription, with the PDN gateways in use.
func apns(e *subscriber.EPS, p *subscriber.PrivateIdentity) (all []s6a.APNConfiguration) {
	for i, a := range e.APNs {
		configuration := s6a.APNConfiguration{
			ContextIdentifier: e.ContextOf(i), Addresses: addresses(a.Addresses), PDNType: pdnTypes[a.PDNType], Name: a.Name,
			QoS: s6a.QoSProfile{QCI: a.QCI, ARP: arp(a.ARP)}, AMBR: ambr(a.AMBR),
		}

		if gateway := p.Gateway(a.Name); gateway != nil {
			dynamic := s6a.DynamicAllocation
			configuration.PGW, configuration.Allocation, configuration.VisitedNetwork = agent(gateway), &dynamic, gateway.Network
		}

		all = append(all, configuration)
	}

	return all
}

func noDigit(r rune) bool { return r < '0' || r > '9' }

// zones returns zone codes, which were checked when they were stored, as octets (TS 29.272 §7.3.46).
func zones(texts []string) (all [][]byte) {
	for _, text := range texts {
		if octets, err := hex.DecodeString(text); err == nil {
			all = append(all, octets)
		}
	}

	return all
}

func ambr(r subscriber.BitRates) *s6a.AMBR { return &s6a.AMBR{Uplink: r.Uplink, Downlink: r.Downlink} }

func arp(a subscriber.ARP) s6a.ARP {
	var capability, vulnerability uint32 // 0 means enabled, 1 disabled, of both (TS 29.212 §5.3.46, §5.3.47)

	if !a.Preempts {
		capability = 1
	}

	if !a.Preemptible {
		vulnerability = 1
	}

	return s6a.ARP{Priority: a.Priority, Capability: &capability, Vulnerability: &vulnerability}
}

func addresses(texts []string) []netip.Addr {
	all := make([]netip.Addr, 0, len(texts))

	for _, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil { // checked when it was stored
			all = append(all, address)
		}
	}

	return slices.Clip(all)
}
