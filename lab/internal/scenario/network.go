// Package scenario is what the lab shows: the network it starts, the subscribers it makes, the call they have.
package scenario

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/lab/internal/process"
)

// Addresses and names of the lab, the defaults of all five functions.
const (
	Domain = "ims.mnc001.mcc001.3gppnetwork.org"

	adminOfPCSCF = "http://127.0.0.10:9090"
	adminOfHSS   = "http://127.0.0.13:9090"
	adminOfOCS   = "http://127.0.0.14:9090"
)

// Place is where the P-CSCF and the handsets meet.
type Place struct {
	PCSCF, Alice, Bob netip.Addr
	Protected         bool // by IPsec
}

var (
	// Loopback is the place without IPsec.
	Loopback = Place{PCSCF: netip.MustParseAddr("127.0.0.10"), Alice: netip.MustParseAddr("127.0.0.100"), Bob: netip.MustParseAddr("127.0.0.101")}
	// Link is the one with it: addresses that are nobody's (RFC 5737).
	Link = Place{
		PCSCF: netip.MustParseAddr("198.51.100.1"), Alice: netip.MustParseAddr("198.51.100.101"), Bob: netip.MustParseAddr("198.51.100.102"), Protected: true,
	}
)

// Gm is where handsets find the P-CSCF.
func (p Place) Gm() netip.AddrPort { return netip.AddrPortFrom(p.PCSCF, 5060) }

// KeysFile is where Wireshark finds the keys of the associations.
func KeysFile(data string) string { return filepath.Join(data, "esp_sa") }

// environment puts the P-CSCF there.
func (p Place) environment(data string) []string {
	if !p.Protected {
		return nil
	}

	return []string{
		fmt.Sprintf("DIALTONE_PCSCF_SIP_ENDPOINTS=[{name: Gm, address: %q, transports: [udp, tcp]}, {name: Mw, address: %q, transports: [udp, tcp]}]",
			p.Gm().String(), "127.0.0.10:5070"),
		"DIALTONE_PCSCF_IPSEC_MODE=required",
		"DIALTONE_PCSCF_IPSEC_WIRESHARK_KEYS=" + KeysFile(data),
	}
}

// Functions are the five, in the order in which they are started: each after those that it connects to.
func (p Place) Functions(data string) []process.Function {
	path := func(name string) string { return filepath.Join(data, name) }

	return []process.Function{
		{Name: "hss", Admin: adminOfHSS, Listens: "Cx  127.0.0.13:3868", Environment: []string{"DIALTONE_HSS_DATA=" + path("hss")}},
		{Name: "ocs", Admin: adminOfOCS, Listens: "Ro  127.0.0.14:3868", Environment: []string{
			"DIALTONE_OCS_DATA=" + path("ocs"), "DIALTONE_OCS_CREDIT_QUOTA=4s",
		}},
		{Name: "scscf", Admin: "http://127.0.0.12:9090", Listens: "SIP 127.0.0.12:5060", Environment: []string{
			"DIALTONE_SCSCF_DATA=" + path("scscf"), "DIALTONE_SCSCF_SESSIONS_CHARGING_UPDATE_MARGIN=2s",
		}},
		{Name: "icscf", Admin: "http://127.0.0.11:9090", Listens: "SIP 127.0.0.11:5060"},
		{Name: "pcscf", Admin: adminOfPCSCF, Listens: "SIP " + p.Gm().String() + " (Gm, UDP and TCP)", Environment: p.environment(data)},
	}
}

// Columns of the ladder, and whose addresses they are.
var Columns = []string{"UE alice", "P-CSCF", "I-CSCF", "S-CSCF", "HSS", "OCS", "UE bob"}

// nodes names the addresses of the lab.
func (p Place) nodes() ladder.Nodes {
	nodes := ladder.Nodes{p.PCSCF: "P-CSCF", p.Alice: "UE alice", p.Bob: "UE bob"}

	for name, address := range map[string]string{
		"P-CSCF": "127.0.0.10", "I-CSCF": "127.0.0.11", "S-CSCF": "127.0.0.12", "HSS": "127.0.0.13", "OCS": "127.0.0.14",
	} {
		nodes[netip.MustParseAddr(address)] = name
	}

	return nodes
}

// subscriber is one of the two handsets of the lab.
type subscriber struct {
	name, imsi, msisdn, k, opc string
}

var (
	alice = subscriber{"alice", "001010000000001", "15550001", "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"}
	bob   = subscriber{"bob", "001010000000002", "15550002", "0396eb317b6d1c36f19c1c84cd6ffd16", "53c15671c60a4b731c55b4a441c0bde2"}
)
