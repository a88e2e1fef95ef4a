// Package scenario is the lab's demonstration: the network that it starts, its subscribers, and their call.
package scenario

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/lab/internal/process"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// AdminOfHSS is where the lab's HSS has its admin HTTP.
const AdminOfHSS = "http://127.0.0.13:9090"

// Addresses of the lab, the defaults of all five functions.
const (
	adminOfPCSCF = "http://127.0.0.10:9090"
	adminOfOCS   = "http://127.0.0.14:9090"
)

// core lists the CSCFs, and addresses for application servers.
const core = "[127.0.0.10/32, 127.0.0.11/32, 127.0.0.12/32, 127.0.0.16/28]"

// Place is where the P-CSCF and the handsets meet.
type Place struct {
	PCSCF, Alice, Bob netip.Addr
	Protected         bool         // by IPsec
	Real              []netip.Addr // where real handsets find the P-CSCF, too, if anywhere
	Bearers           Bearers
	Nameservers       []netip.AddrPort
	Charging          Charging
}

var (
	// Loopback is the place without IPsec.
	Loopback = Place{
		PCSCF:    netip.MustParseAddr("127.0.0.10"),
		Alice:    netip.MustParseAddr("127.0.0.100"),
		Bob:      netip.MustParseAddr("127.0.0.101"),
		Charging: OwnCharging,
	}
	// Link is the place with IPsec: with documentation addresses (RFC 5737).
	Link = Place{
		PCSCF: netip.MustParseAddr(
			"198.51.100.1",
		), Alice: netip.MustParseAddr("198.51.100.101"), Bob: netip.MustParseAddr("198.51.100.102"), Protected: true,
		Charging: OwnCharging,
	}
)

// Gm returns where handsets find the P-CSCF.
func (p Place) Gm() netip.AddrPort { return netip.AddrPortFrom(p.PCSCF, gmPort) }

const gmPort = 5060

// KeysFile returns the file with the keys of the associations for Wireshark.
func KeysFile(data string) string { return filepath.Join(data, "esp_sa") }

// environment returns the environment of the P-CSCF at the place.
func (p Place) environment(domain, data string) []string {
	endpoint := func(name string, at netip.AddrPort) string {
		return fmt.Sprintf("{name: %s, address: %q, transports: [udp, tcp], names: [pcscf.%s]}", name, at, domain)
	}

	gm := endpoint("Gm", p.Gm())
	for i, at := range p.Real {
		gm += ", " + endpoint(fmt.Sprintf("Handsets%d", i+1), netip.AddrPortFrom(at, gmPort))
	}

	environment := append(centreEnvironment(),
		fmt.Sprintf(`DIALTONE_PCSCF_SIP_ENDPOINTS=[%s, {name: Mw, address: "127.0.0.10:5070", transports: [udp, tcp]}]`, gm),
		"DIALTONE_PCSCF_IPSEC_WIRESHARK_KEYS="+KeysFile(data),
		"DIALTONE_PCSCF_DATA="+filepath.Join(data, "pcscf"),
	)

	if p.Protected {
		environment = append(environment, "DIALTONE_PCSCF_IPSEC_MODE=required")
	}

	return environment
}

// Functions returns the five functions in the order of their start: each after those that it connects to.
func (p Place) Functions(network PLMN, data string) []process.Function {
	path := func(name string) string { return filepath.Join(data, name) }

	all := []process.Function{
		{Name: "hss", Admin: AdminOfHSS, Listens: "Cx  127.0.0.13:3868", Environment: []string{"DIALTONE_HSS_DATA=" + path("hss")}},
		{Name: "ocs", Admin: adminOfOCS, Listens: "Ro  127.0.0.14:3868", Environment: []string{
			"DIALTONE_OCS_DATA=" + path("ocs"), "DIALTONE_OCS_CREDIT_QUOTA=" + p.Charging.Quota.String(),
		}},
		{Name: "scscf", Admin: "http://127.0.0.12:9090", Listens: "SIP 127.0.0.12:5060", Environment: []string{
			"DIALTONE_SCSCF_DATA=" + path("scscf"), "DIALTONE_SCSCF_SESSIONS_CHARGING_UPDATE_MARGIN=" + p.Charging.Margin.String(),
		}},
		{Name: "icscf", Admin: "http://127.0.0.11:9090", Listens: "SIP 127.0.0.11:5060"},
		{
			Name:        "pcscf",
			Admin:       adminOfPCSCF,
			Listens:     "SIP " + p.Gm().String() + " (Gm, UDP and TCP)",
			Environment: append(p.environment(network.Domain(), data), p.bearerEnvironment(network)...),
		},
	}

	for i := range all {
		all[i].Environment = append(all[i].Environment, config.HomeVariable+"="+network.Domain())
		all[i].Environment = append(all[i].Environment, p.namesEnvironment(all[i].Name)...)

		if strings.HasSuffix(all[i].Name, "cscf") {
			all[i].Environment = append(all[i].Environment, "DIALTONE_"+strings.ToUpper(all[i].Name)+"_PROTECTION_CORE="+core)
		}
	}

	return all
}

// Variables returns the environment that the functions have at a place, all in one.
func (p Place) Variables(network PLMN, data string) (all []string) {
	for _, f := range p.Functions(network, data) {
		all = append(all, f.Environment...)
	}

	return all
}

// PLMN is the network of the SIMs: MCC and MNC.
type PLMN struct{ mcc, mnc string }

// TestNetwork is the PLMN for tests, in which most handsets do VoLTE by default.
var TestNetwork = PLMN{"001", "01"}

// Set parses 001-01 or 310-260.
func (p *PLMN) Set(text string) error {
	mcc, mnc, _ := strings.Cut(text, "-")
	if len(mcc) != 3 || len(mnc) != 2 && len(mnc) != 3 || strings.Trim(mcc+mnc, "0123456789") != "" {
		return errors.New("a PLMN is written as 001-01 or 310-260, with all zeros")
	}

	*p = PLMN{mcc, mnc}

	return nil
}

func (p *PLMN) String() string { return p.mcc + "-" + p.mnc }

// Type returns the type for the help.
func (p *PLMN) Type() string { return "MCC-MNC" }

// IMSI returns the IMSI of the SIM with this number.
func (p PLMN) IMSI(number int) string {
	return fmt.Sprintf("%s%s%0*d", p.mcc, p.mnc, 15-3-len(p.mnc), number)
}

// Domain returns the home network domain (TS 23.003 §13.2).
func (p PLMN) Domain() string {
	domain, err := ims.HomeDomain(p.IMSI(1), len(p.mnc))
	if err != nil {
		panic(err) // Set has checked it
	}

	return domain
}

// columns returns the columns of the ladder.
func (s *Scenario) columns() []string {
	all := []string{"UE alice", "P-CSCF", "I-CSCF", "S-CSCF", "HSS", "OCS", "UE bob"}
	if s.Policy != nil {
		all = slices.Insert(all, 1, s.Policy.name)
	}

	return all
}

// nodes returns the names of the lab's addresses.
func (p Place) nodes() ladder.Nodes {
	nodes := ladder.Nodes{p.PCSCF: "P-CSCF", p.Alice: "UE alice", p.Bob: "UE bob", centreAt.Addr(): ladder.PSAP}

	switch p.Bearers {
	case Rx:
		nodes[addressOfPCRF.Addr()] = ladder.PCRF
	case N5:
		nodes[addressOfPCF.Addr()] = ladder.PCF
	}

	for name, address := range map[string]string{
		"P-CSCF": "127.0.0.10", "I-CSCF": "127.0.0.11", "S-CSCF": "127.0.0.12", "HSS": "127.0.0.13", "OCS": "127.0.0.14",
	} {
		nodes[netip.MustParseAddr(address)] = name
	}

	return nodes
}

// subscriber is one of the two handsets of the lab.
type subscriber struct {
	name   string
	number int // of the SIM
	msisdn string
	k, opc string
}

var (
	alice = subscriber{
		name:   "alice",
		number: 1,
		msisdn: "15550001",
		k:      "465b5ce8b199b49faa5f0a2ee238a6bc",
		opc:    "cd63cb71954a9f4e48a5994e37a02baf",
	}
	bob = subscriber{
		name:   "bob",
		number: 2,
		msisdn: "15550002",
		k:      "0396eb317b6d1c36f19c1c84cd6ffd16",
		opc:    "53c15671c60a4b731c55b4a441c0bde2",
	}
)

// Keys are the flags with the keys of the SIM in the lab's examples.
const Keys = "--k fec86ba6eb707ed08905757b1bb44b8f --opc 1006020f0a478bf6b699f15c062e42b3"
