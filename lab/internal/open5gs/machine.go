package open5gs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// gateway returns what the UPF's machine needs: an interface for the pool, forwarding, and no translation of its addresses.
func (n *Network) gateway() string {
	var b strings.Builder

	fmt.Fprintf(&b, "ip tuntap add name %s mode tun\n", device)

	for _, p := range n.Pools {
		fmt.Fprintf(&b, "ip address add %s dev %s\n", netip.PrefixFrom(p.Addr().Next(), p.Bits()), device)
	}

	fmt.Fprintf(&b, "ip link set %s mtu 1400 up\n", device)

	for _, p := range n.Pools {
		forwarding, tables := "net.ipv6.conf.all.forwarding", "ip6tables"
		if p.Addr().Is4() {
			forwarding, tables = "net.ipv4.ip_forward", "iptables"
		}

		fmt.Fprintf(&b, "sysctl -w %s=1\n", forwarding)
		fmt.Fprintf(&b, "%s -t nat -I POSTROUTING -s %s -j ACCEPT    # before any MASQUERADE\n", tables, p)
		fmt.Fprintf(&b, "%s -I INPUT -i %s -j ACCEPT\n", tables, device)
		fmt.Fprintf(&b, "%s -I FORWARD -i %s -j ACCEPT    # to the P-CSCF, and media from handset to handset\n", tables, device)
		fmt.Fprintf(&b, "%s -I FORWARD -o %s -j ACCEPT\n", tables, device)
	}

	return b.String()
}

// lab returns how to start the lab: its P-CSCF asks PCRF and PCF for the bearers of calls, and accepts the connections of both.
func (n *Network) lab() string {
	var b strings.Builder

	for _, p := range n.Pools {
		if gateway := n.gatewayOf(p); gateway.IsValid() {
			fmt.Fprintf(&b, "ip route add %s via %s\n", p, gateway)
		}
	}

	own := n.PCSCF[0]

	set := func(name, value string) { fmt.Fprintf(&b, "export DIALTONE_%s='%s'\n", name, value) }
	set("PCSCF_BEARER_POLICY", "best-effort")
	set("PCSCF_DIAMETER_LISTEN", fmt.Sprintf("[{address: %q}]", netip.AddrPortFrom(own, pcscfPort)))
	set("PCSCF_DIAMETER_LOCAL_ADDRESS", own.String())

	pcrf := netip.AddrPortFrom(n.PCRF, diameterPort)
	set("PCSCF_DIAMETER_PEERS", fmt.Sprintf("[{host: pcrf.%s, realm: %[1]s, address: %q}]", n.Realm, pcrf))

	if n.NRF.IsValid() {
		set("PCSCF_BEARER_SBI_NRF", "http://"+netip.AddrPortFrom(n.NRF, sbiPort).String())
	} else {
		set("PCSCF_BEARER_PCF", "http://"+netip.AddrPortFrom(n.PCF, sbiPort).String())
	}

	set("PCSCF_BEARER_NOTIFY", netip.AddrPortFrom(own, sbiPort).String())

	if n.HSS.IsValid() {
		n.askHSS(set)
	}

	arguments := fmt.Sprintf("--plmn %s-%s", n.MCC, n.MNC)
	for _, at := range n.PCSCF {
		arguments += " --gm " + at.String()
	}

	if slices.Contains(n.DNS, own) {
		arguments += " --dns " + own.String()
	}

	fmt.Fprintf(&b, "make lab ARGS=%q\n", arguments)

	return b.String()
}

// askHSS makes the lab's HSS accept the MME, and listen at the address that it uses.
func (n *Network) askHSS(set func(name, value string)) {
	own := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.13"), diameterPort) // for the CSCFs of the lab

	listen := fmt.Sprintf("{address: %q}", own)
	if at := netip.AddrPortFrom(n.HSS, diameterPort); at != own {
		listen += fmt.Sprintf(", {address: %q}", at)
	}

	set("HSS_DIAMETER_LISTEN", "["+listen+"]")

	var peers []string
	for _, host := range []string{"icscf." + n.Domain, "scscf." + n.Domain} {
		peers = append(peers, fmt.Sprintf("{host: %s, realm: %s}", host, n.Domain))
	}

	peers = append(peers, fmt.Sprintf("{host: mme.%s, realm: %s, sources: [%s]}", n.Realm, n.Domain, strings.Join(n.sources(), ", ")))

	set("HSS_DIAMETER_PEERS", "["+strings.Join(peers, ", ")+"]")
}

// sources returns where the MME connects from. Whoever takes its name gets vectors of all SIMs, so that the HSS does not believe it
// elsewhere. An MME on the lab's machine has the address of the HSS, or one of loopback.
func (n *Network) sources() (all []string) {
	for _, a := range n.Gateway {
		all = append(all, fmt.Sprintf("%q", a))
	}

	if n.local() {
		return []string{fmt.Sprintf("%q", n.HSS), `"127.0.0.0/8"`}
	}

	return all
}
