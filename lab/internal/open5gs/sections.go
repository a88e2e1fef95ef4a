package open5gs

import (
	"fmt"
	"net/netip"
	"strings"
)

// Section is text for one place.
type Section struct {
	Name string
	Why  string
	Text string
}

// Sections returns all that is to be done, in order.
func (n *Network) Sections() []Section {
	sections := []Section{
		{"smf.yaml", "in /etc/open5gs/smf.yaml, in place of its session: ims has a pool of its own, and handsets are told the P-CSCF", n.smf()},
		{"upf.yaml", "in /etc/open5gs/upf.yaml, in place of its session", n.upf()},
	}

	if why, text := n.pcf(); text != "" {
		sections = append(sections, Section{"pcf.yaml", "in /etc/open5gs/pcf.yaml: " + why, text})
	}

	if n.NRF.IsValid() && !n.NRF.IsLoopback() {
		sections = append(sections, Section{
			"nrf.yaml", "in /etc/open5gs/nrf.yaml, in place of its sbi.server: the P-CSCF finds PCFs there, and the rest where it was",
			"nrf:\n" + server("sbi", nrfOnLoopback, sbiPort) + listener(n.NRF, sbiPort),
		})
	}

	sections = append(sections, Section{
		"pcrf.conf", "in /etc/freeDiameter/pcrf.conf, beside what is there: the PCRF takes only peers that it knows", n.pcrf(),
	})

	if n.HSS.IsValid() {
		why := "in /etc/freeDiameter/mme.conf, in place of Realm and ConnectPeer: freeDiameter asks nobody in another realm"
		sections = append(sections, Section{"mme.conf", why, n.mme()})
	}

	return append(
		sections,
		Section{"subscribers.json", "mongoimport -d open5gs -c subscribers --mode upsert --upsertFields imsi subscribers.json", n.subscribers()},
		Section{"policy.yaml", "in pcrf.yaml, and in pcf.yaml below pcf, in place of the rules for QCI 1 and 2 in the database", n.policy()},
		Section{"gateway.sh", "on the UPF's machine, as root: the pool's addresses are not translated, for that ends IPsec", n.gateway()},
		Section{"lab.sh", "on the machine of the lab, as root", n.lab()},
	)
}

func (n *Network) smf() string {
	var b strings.Builder

	b.WriteString("smf:\n  session:\n")
	internet(&b, "")

	for _, p := range n.Pools {
		session(&b, p, "ims", "")
	}

	if len(n.DNS) > 0 {
		b.WriteString("  dns:\n")
		list(&b, n.DNS)
	}

	b.WriteString("  p-cscf:\n")
	list(&b, n.PCSCF)

	return b.String()
}

func (n *Network) upf() string {
	var b strings.Builder

	b.WriteString("upf:\n  session:\n")
	internet(&b, "ogstun")

	for _, p := range n.Pools {
		session(&b, p, "ims", device)
	}

	return b.String()
}

// device is the interface of the pool, and internetPool Open5GS's pool for the other APN.
const device = "ogstun2"

var internetPool = netip.MustParsePrefix("10.45.0.0/16")

func internet(b *strings.Builder, device string) { session(b, internetPool, "internet", device) }

func session(b *strings.Builder, pool netip.Prefix, apn, device string) {
	fmt.Fprintf(b, "    - subnet: %s\n      gateway: %s\n      dnn: %s\n", pool, pool.Addr().Next(), apn)

	if device != "" {
		fmt.Fprintf(b, "      dev: %s\n", device)
	}
}

func list(b *strings.Builder, addresses []netip.Addr) {
	for _, a := range addresses {
		fmt.Fprintf(b, "    - %s\n", a)
	}
}

// pcf returns what the PCF's configuration lacks, and why: an address that the P-CSCF reaches, and another port for its metrics if they are
// where the lab has the admin HTTP of its HSS.
func (n *Network) pcf() (why, text string) {
	var reasons []string

	if !n.PCF.IsLoopback() {
		reasons = append(reasons, "the P-CSCF asks it at this address, in place of that on loopback")
		text += server("sbi", n.PCF, sbiPort)
	}

	if n.local() {
		reasons = append(reasons, "its metrics are where the lab has its HSS")
		text += server("metrics", netip.MustParseAddr("127.0.0.13"), 9091)
	}

	if text != "" {
		text = "pcf:\n" + text
	}

	return strings.Join(reasons, "; "), text
}

// nrfOnLoopback is where Open5GS's nodes look for the NRF.
var nrfOnLoopback = netip.MustParseAddr("127.0.0.10")

func server(part string, at netip.Addr, port int) string {
	return fmt.Sprintf("  %s:\n    server:\n", part) + listener(at, port)
}

func listener(at netip.Addr, port int) string {
	return fmt.Sprintf("      - address: %s\n        port: %d\n", at, port)
}

// Ports of Diameter, where P-CSCF and HSS may be at one address, and of the service-based interfaces.
const (
	diameterPort = 3868
	pcscfPort    = 3871
	sbiPort      = 7777
)

// peer returns a line that makes freeDiameter connect to a peer, and accept it. The lab's peers have no TLS.
func peer(name string, at netip.Addr, port int) string {
	return fmt.Sprintf("ConnectPeer = %q { ConnectTo = %q; Port = %d; No_TLS; };\n", name, at, port)
}

// pcrf returns what the PCRF's configuration lacks. Its Identity stays: freeDiameter exits if it is not the name in its certificate.
func (n *Network) pcrf() string {
	text := peer("pcscf."+n.Domain, n.PCSCF[0], pcscfPort)
	if !n.PCRF.IsLoopback() {
		text = fmt.Sprintf("ListenOn = %q;    # in place of that on loopback\n", n.PCRF) + text
	}

	return text
}

func (n *Network) mme() string {
	return fmt.Sprintf("Realm = %q;\n", n.Domain) + peer("hss."+n.Domain, n.HSS, diameterPort)
}
