// Package open5gs prints what an Open5GS beside the lab needs in its files and its database, and on its machine, so that handsets reach the
// P-CSCF and calls get their bearers. It follows Open5GS 2.7.
package open5gs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Network is the lab and the packet core beside it.
type Network struct {
	MCC, MNC string
	Domain   string         // home network domain
	Realm    string         // of Open5GS's Diameter nodes; each is named by its function below it
	PCSCF    []netip.Addr   // where handsets find it; the first is its Diameter address, too
	Pools    []netip.Prefix // addresses of the APN ims: one of IPv4, of IPv6, or both
	PCRF     netip.Addr     // Open5GS's
	PCF      netip.Addr     // Open5GS's
	NRF      netip.Addr     // Open5GS's, if the P-CSCF is to find PCFs by it
	HSS      netip.Addr     // the lab's, if the MME is to ask it
	Gateway  []netip.Addr   // the UPF's machine, if it is not that of the P-CSCF
	DNS      []netip.Addr   // servers for handsets, if not Open5GS's defaults
	SIMs     []SIM
}

// SIM is a subscriber in the packet core's database. Octets are hexadecimal.
type SIM struct {
	IMSI, MSISDN, K, OP, OPc, AMF string
	SQN                           uint64
}

// Validate returns an error if no handset could use the network.
func (n *Network) Validate() error {
	if len(n.PCSCF) == 0 {
		return errors.New("where handsets find the P-CSCF has to be said")
	}

	if strings.Trim(n.Realm, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || n.Realm == "" {
		return fmt.Errorf("%q is no realm", n.Realm)
	}

	if len(n.Pools) == 0 || len(n.Pools) > 2 || len(n.Pools) == 2 && n.Pools[0].Addr().Is4() == n.Pools[1].Addr().Is4() {
		return errors.New("the APN ims has one pool, or one of IPv4 and one of IPv6")
	}

	for _, p := range n.Pools {
		if p != p.Masked() || p.Bits() > p.Addr().BitLen()-2 {
			return fmt.Errorf("%s is no pool: it has to be a network, as %s", p, p.Masked())
		}

		// A bearer of a family without a P-CSCF address has no IMS.
		if !slices.ContainsFunc(n.PCSCF, func(a netip.Addr) bool { return a.Is4() == p.Addr().Is4() }) {
			return fmt.Errorf("handsets with an address of %s need an address of the P-CSCF of the same family", p)
		}

		if len(n.Gateway) > 0 && n.gatewayOf(p) == (netip.Addr{}) {
			return fmt.Errorf("the way to %s needs an address of the gateway of the same family", p)
		}

		for _, a := range n.PCSCF {
			if p.Contains(a) {
				return fmt.Errorf("the P-CSCF at %s is in the handsets' pool %s", a, p)
			}
		}
	}

	return nil
}

// pdnType returns Open5GS's number for the families of the pools.
func (n *Network) pdnType() int {
	const ipv4, ipv6, both = 1, 2, 3

	switch {
	case len(n.Pools) == 2:
		return both
	case n.Pools[0].Addr().Is4():
		return ipv4
	default:
		return ipv6
	}
}

// gatewayOf returns the gateway's address by which a pool is reached: of the same family.
func (n *Network) gatewayOf(pool netip.Prefix) netip.Addr {
	for _, a := range n.Gateway {
		if a.Is4() == pool.Addr().Is4() {
			return a
		}
	}

	return netip.Addr{}
}

// local reports whether Open5GS is on the lab's machine.
func (n *Network) local() bool { return len(n.Gateway) == 0 }

// Strangers returns how many of the SIMs are not of the network, and the first of them.
func (n *Network) Strangers() (count int, first string) {
	for _, s := range n.SIMs {
		if strings.HasPrefix(s.IMSI, n.MCC+n.MNC) {
			continue
		}

		if count++; count == 1 {
			first = s.IMSI
		}
	}

	return count, first
}
