package open5gs

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Each pool has its way over the gateway's address of its family, and PCRF and PCF are asked where they are.
func TestWays(t *testing.T) {
	at := netip.MustParseAddr

	for name, test := range map[string]struct {
		change     func(*Network)
		lab, pcf   []string
		lacks, not []string
	}{
		"all on one machine": {
			change: func(*Network) {},
			lab: []string{
				`PCSCF_DIAMETER_PEERS='[{host: pcrf.localdomain, realm: localdomain, address: "127.0.0.9:3868"}]'`,
				"PCSCF_BEARER_PCF='http://127.0.0.13:7777'", "PCSCF_BEARER_NOTIFY='10.4.128.21:7777'",
			},
			lacks: []string{"ip route", "HSS_"},
			pcf:   []string{"  metrics:\n    server:\n      - address: 127.0.0.13\n        port: 9091\n"}, not: []string{"sbi"},
		},
		"both families, on another machine": {
			change: func(n *Network) {
				n.PCSCF = append(n.PCSCF, at("2001:db8::21"))
				n.Pools = append(n.Pools, netip.MustParsePrefix("2001:db8:babe::/48"))
				n.Gateway = []netip.Addr{at("10.4.128.5"), at("2001:db8::5")}
				n.PCRF, n.PCF, n.HSS = at("10.4.128.5"), at("10.4.128.6"), at("10.4.128.21")
			},
			lab: []string{
				"ip route add 10.46.0.0/16 via 10.4.128.5\nip route add 2001:db8:babe::/48 via 2001:db8::5\n",
				"PCSCF_BEARER_PCF='http://10.4.128.6:7777'",
				`{host: mme.localdomain, realm: ims.mnc070.mcc999.3gppnetwork.org, sources: ["10.4.128.5", "2001:db8::5"]}`,
			},
			pcf: []string{"  sbi:\n    server:\n      - address: 10.4.128.6\n        port: 7777\n"}, not: []string{"metrics"},
		},
		"PCFs that the NRF knows": {
			change: func(n *Network) { n.NRF = at("10.4.128.21") },
			lab:    []string{"PCSCF_BEARER_SBI_NRF='http://10.4.128.21:7777'", "PCSCF_BEARER_NOTIFY="}, lacks: []string{"BEARER_PCF"},
			pcf: []string{"metrics"},
		},
		"the PCF at an address of the same machine": {
			change: func(n *Network) { n.PCF, n.HSS = at("10.4.128.21"), at("10.4.128.21") },
			lab: []string{
				"PCSCF_BEARER_PCF='http://10.4.128.21:7777'",
				`{host: mme.localdomain, realm: ims.mnc070.mcc999.3gppnetwork.org, sources: ["10.4.128.21", "127.0.0.0/8"]}`,
			},
			pcf: []string{"sbi", "metrics"},
		},
	} {
		n := network()
		if test.change(n); n.Validate() != nil {
			t.Errorf("%s: %v", name, n.Validate())
		}

		for part, want := range map[string][]string{"lab.sh": test.lab, "pcf.yaml": test.pcf} {
			for _, text := range want {
				if got := section(t, n, part); !strings.Contains(got, text) {
					t.Errorf("%s: %s has no %s:\n%s", name, part, text, got)
				}
			}
		}

		if wants := n.NRF.IsValid(); wants != slices.ContainsFunc(n.Sections(), func(s Section) bool { return s.Name == "nrf.yaml" }) {
			t.Errorf("%s: it has nrf.yaml, or has none", name)
		}

		for part, spare := range map[string][]string{"lab.sh": test.lacks, "pcf.yaml": test.not} {
			for _, text := range spare {
				if got := section(t, n, part); strings.Contains(got, text) {
					t.Errorf("%s: %s has %s:\n%s", name, part, text, got)
				}
			}
		}
	}
}

func TestStrangers(t *testing.T) {
	n := network()
	if count, _ := n.Strangers(); count != 0 {
		t.Errorf("%d SIMs of the network are strangers", count)
	}

	n.SIMs = append(n.SIMs, SIM{IMSI: "001010000000001"}, SIM{IMSI: "001010000000002"})
	if count, first := n.Strangers(); count != 2 || first != "001010000000001" {
		t.Errorf("%d strangers, %s first", count, first)
	}
}
