// Package scenario is what the lab shows: the network it starts, the subscribers it makes, the call they have.
package scenario

import (
	"net/netip"
	"path/filepath"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/lab/internal/process"
)

// Addresses and names of the lab, the defaults of all five functions.
const (
	Domain = "ims.mnc001.mcc001.3gppnetwork.org"

	adminOfHSS = "http://127.0.0.13:9090"
	adminOfOCS = "http://127.0.0.14:9090"
)

// Functions are the five, in the order in which they are started: each after those that it connects to.
func Functions(data string) []process.Function {
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
		{Name: "pcscf", Admin: "http://127.0.0.10:9090", Listens: "SIP 127.0.0.10:5060 (Gm, UDP and TCP)"},
	}
}

// Columns of the ladder, and whose addresses they are.
var Columns = []string{"UE alice", "P-CSCF", "I-CSCF", "S-CSCF", "HSS", "OCS", "UE bob"}

// Nodes names the addresses of the lab.
func Nodes() ladder.Nodes {
	nodes := ladder.Nodes{}

	for name, address := range map[string]string{
		"P-CSCF": "127.0.0.10", "I-CSCF": "127.0.0.11", "S-CSCF": "127.0.0.12", "HSS": "127.0.0.13", "OCS": "127.0.0.14",
		"UE alice": alice.address, "UE bob": bob.address,
	} {
		nodes[netip.MustParseAddr(address)] = name
	}

	return nodes
}

// subscriber is one of the two handsets of the lab.
type subscriber struct {
	name, imsi, msisdn, k, opc, address string
}

var (
	alice = subscriber{"alice", "001010000000001", "15550001", "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf", "127.0.0.100"}
	bob   = subscriber{"bob", "001010000000002", "15550002", "0396eb317b6d1c36f19c1c84cd6ffd16", "53c15671c60a4b731c55b4a441c0bde2", "127.0.0.101"}
)
