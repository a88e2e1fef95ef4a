package epsdata

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// APN returns the name of a subscribed APN from what a node says of it: its Context-Identifier, or else its name. "": it is not subscribed.
func APN(e *subscriber.EPS, name string, context *uint32) string {
	for i := range e.APNs {
		if context != nil && e.ContextOf(i) == *context {
			return e.APNs[i].Name
		}
	}

	for i := range e.APNs {
		if strings.EqualFold(e.APNs[i].Name, name) {
			return e.APNs[i].Name
		}
	}

	return ""
}

// longestName is the most octets of a DiameterIdentity or of a network's name, which are names of DNS.
const longestName = 255

// Gateway returns the PDN gateway that a node reports for an APN; false: it says none, or nonsense.
func Gateway(apn string, reported *s6a.PGW, network string) (subscriber.PGW, bool) {
	g := subscriber.PGW{APN: apn, Network: network}

	if reported == nil || len(network) > longestName {
		return g, false
	}

	if h := reported.Host; h != nil {
		g.Host, g.Realm = h.Host, h.Realm
	}

	for _, address := range reported.Addresses {
		if len(g.Addresses) < 2 { // one of each family
			g.Addresses = append(g.Addresses, address.String())
		}
	}

	return g, (g.Host != "" || len(g.Addresses) > 0) && len(g.Host) <= longestName && len(g.Realm) <= longestName
}

// agent returns MIP6-Agent-Info.
func agent(g *subscriber.PGW) *s6a.PGW {
	info := &s6a.PGW{}

	for _, text := range g.Addresses {
		if address, err := netip.ParseAddr(text); err == nil {
			info.Addresses = append(info.Addresses, address)
		}
	}

	info.Addresses = slices.Clip(info.Addresses)

	if g.Host != "" {
		info.Host = &s6a.PGWHost{Host: g.Host, Realm: g.Realm}
	}

	return info
}
