package open5gs

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func network() *Network {
	return &Network{
		MCC: "999", MNC: "70", Domain: "ims.mnc070.mcc999.3gppnetwork.org", Realm: "localdomain",
		PCSCF: []netip.Addr{netip.MustParseAddr("10.4.128.21")},
		Pools: []netip.Prefix{netip.MustParsePrefix("10.46.0.0/16")},
		PCRF:  netip.MustParseAddr("127.0.0.9"),
		PCF:   netip.MustParseAddr("127.0.0.13"),
		SIMs: []SIM{
			{IMSI: "999700000000001", MSISDN: "15550001", K: "00", OPc: "01", AMF: "8000", SQN: 0x1fffffffffe0},
			{IMSI: "999700000000002", K: "02", OP: "03", AMF: "8000"},
		},
	}
}

func section(t *testing.T, n *Network, name string) string {
	t.Helper()

	for _, s := range n.Sections() {
		if s.Name == name {
			return s.Text
		}
	}

	t.Fatalf("there is no %s", name)

	return ""
}

// kinds returns networks of each kind.
func kinds() map[string]*Network {
	dual, six, remote, s6a := network(), network(), network(), network()
	at := netip.MustParseAddr

	dual.PCSCF = append(dual.PCSCF, netip.MustParseAddr("2001:db8::21"))
	dual.Pools = append(dual.Pools, netip.MustParsePrefix("2001:db8:babe::/48"))
	six.PCSCF, six.Pools = dual.PCSCF[1:], dual.Pools[1:]
	remote.PCRF, remote.PCF, remote.Gateway = at("10.4.128.5"), at("10.4.128.5"), []netip.Addr{at("10.4.128.5")}
	remote.DNS = []netip.Addr{netip.MustParseAddr("10.4.128.21"), netip.MustParseAddr("10.4.128.22")}
	s6a.HSS, s6a.NRF = at("10.4.128.21"), at("10.4.128.21")

	return map[string]*Network{"IPv4": network(), "both": dual, "IPv6": six, "on another machine": remote, "with the lab's HSS": s6a}
}

// YAML sections parse as YAML, database documents as JSON, and scripts as shell.
func TestSectionsRead(t *testing.T) {
	for name, n := range kinds() {
		if err := n.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}

		for _, s := range n.Sections() {
			switch {
			case strings.HasSuffix(s.Name, ".yaml"):
				var root map[string]map[string]any
				if err := yaml.UnmarshalWithOptions([]byte(s.Text), &root, yaml.Strict()); err != nil || len(root) != 1 {
					t.Errorf("%s: %s: %v, %v", name, s.Name, err, root)
				}
			case strings.HasSuffix(s.Name, ".json"):
				for line := range strings.Lines(s.Text) {
					if !json.Valid([]byte(line)) {
						t.Errorf("%s: %s", name, line)
					}
				}
			case strings.HasSuffix(s.Name, ".sh"):
				shell := exec.Command("sh", "-n")
				shell.Stdin = strings.NewReader(s.Text)

				if out, err := shell.CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v\n%s", name, s.Name, err, out)
				}
			}
		}
	}
}

// smf.yaml gives handsets the P-CSCF, and SMF and UPF have the same pools.
func TestSMF(t *testing.T) {
	type function struct {
		Session []struct{ Subnet, Gateway, DNN, Dev string }
		PCSCF   []string `yaml:"p-cscf"`
		DNS     []string
	}

	for name, want := range map[string]struct{ pools, pcscf, dns string }{
		"IPv4":               {"10.46.0.0/16 10.46.0.1", "10.4.128.21", ""},
		"both":               {"10.46.0.0/16 10.46.0.1 2001:db8:babe::/48 2001:db8:babe::1", "10.4.128.21 2001:db8::21", ""},
		"on another machine": {"10.46.0.0/16 10.46.0.1", "10.4.128.21", "10.4.128.21 10.4.128.22"},
	} {
		n := kinds()[name]

		for _, file := range []string{"smf", "upf"} {
			var root map[string]function
			if err := yaml.Unmarshal([]byte(section(t, n, file+".yaml")), &root); err != nil {
				t.Fatal(err)
			}

			f := root[file]

			var pools []string
			for _, s := range f.Session {
				if s.DNN == "ims" {
					pools = append(pools, s.Subnet, s.Gateway)
				}
			}

			if got := strings.Join(pools, " "); got != want.pools {
				t.Errorf("%s: %s has %s", name, file, got)
			}

			if got := strings.Join(f.PCSCF, " "); file == "smf" && (got != want.pcscf || strings.Join(f.DNS, " ") != want.dns) {
				t.Errorf("%s: handsets are told %s, %v", name, got, f.DNS)
			}
		}
	}
}

// The database has each SIM with its keys, and an APN by which the PCRF grants what the P-CSCF requests: QCI 5 with ARP 1 for the
// signalling, rules for QCI 1 and 2. The policy without the database has the same.
func TestSubscribers(t *testing.T) {
	n := network()

	var first struct {
		IMSI     string
		MSISDN   []string
		Security struct {
			K, OPc string
			OP     *string
			SQN    map[string]string
		}
		Slice []struct {
			Default bool `json:"default_indicator"`
			Session []map[string]any
		}
	}

	lines := strings.Split(section(t, n, "subscribers.json"), "\n")
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 3 {
		t.Fatalf("%v, %d lines", err, len(lines))
	}

	if first.IMSI != "999700000000001" || first.MSISDN[0] != "15550001" || first.Security.K != "00" || first.Security.OPc != "01" ||
		first.Security.OP != nil || first.Security.SQN["$numberLong"] != "35184372088800" {
		t.Errorf("the first is %+v", first)
	}

	if !strings.Contains(lines[1], `"msisdn":[]`) || !strings.Contains(lines[1], `"op":"03","opc":null`) || strings.Contains(lines[1], "sqn") {
		t.Errorf("the second is %s", lines[1])
	}

	ims := first.Slice[0].Session[1]
	rules := ims["pcc_rule"].([]any)

	if index(ims) != 5 || ims["qos"].(map[string]any)["arp"].(map[string]any)["priority_level"] != 1.0 || ims["type"] != 1.0 ||
		len(rules) != 2 || index(rules[0]) != 1 || index(rules[1]) != 2 {
		t.Errorf("the APN is %v", ims)
	}

	for _, r := range rules {
		if flows := r.(map[string]any)["flow"].([]any); len(flows) != 0 {
			t.Errorf("a rule has flows of its own: %v", r)
		}

		delete(r.(map[string]any), "flow")
	}

	var policy struct {
		PCRF struct {
			Policy []struct {
				Range []string `yaml:"supi_range"`
				Slice []struct{ Session []any }
			}
		} `yaml:"pcrf"`
	}
	if err := yaml.Unmarshal([]byte(section(t, n, "policy.yaml")), &policy); err != nil || len(policy.PCRF.Policy) != 1 {
		t.Fatalf("%v, %+v", err, policy)
	}

	if got := policy.PCRF.Policy[0]; strings.Join(got.Range, " ") != "999700000000000-999709999999999" ||
		!reflect.DeepEqual(plain(t, got.Slice[0].Session[1]), plain(t, ims)) {
		t.Errorf("the policy is %v\nwant %v", plain(t, got.Slice[0].Session[1]), plain(t, ims))
	}
}

// index returns the QCI of an APN or a rule.
func index(of any) float64 { return of.(map[string]any)["qos"].(map[string]any)["index"].(float64) }

// plain removes what JSON and YAML parse differently.
func plain(t *testing.T, value any) (read any) {
	t.Helper()

	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}

	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}

	return read
}

func TestValidateRefuses(t *testing.T) {
	address, prefix := netip.MustParseAddr, netip.MustParsePrefix

	for name, spoil := range map[string]func(*Network){
		"no P-CSCF":             func(n *Network) { n.PCSCF = nil },
		"no realm":              func(n *Network) { n.Realm = "" },
		"a realm that is none":  func(n *Network) { n.Realm = `a"b` },
		"no pool":               func(n *Network) { n.Pools = nil },
		"two pools of a family": func(n *Network) { n.Pools = []netip.Prefix{prefix("10.46.0.0/16"), prefix("10.47.0.0/16")} },
		"an address as a pool":  func(n *Network) { n.Pools = []netip.Prefix{prefix("10.46.0.1/16")} },
		"a pool for nobody":     func(n *Network) { n.Pools = []netip.Prefix{prefix("10.46.0.0/31")} },
		"a P-CSCF in the pool":  func(n *Network) { n.PCSCF = []netip.Addr{address("10.46.0.7")} },
		"a pool without a way to it": func(n *Network) {
			n.PCSCF, n.Gateway = append(n.PCSCF, address("2001:db8::21")), []netip.Addr{address("10.4.128.5")}
			n.Pools = append(n.Pools, prefix("2001:db8:babe::/48"))
		},
		"a P-CSCF of IPv4, alone": func(n *Network) { n.Pools = []netip.Prefix{prefix("2001:db8:babe::/48")} },
	} {
		n := network()
		if spoil(n); n.Validate() == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
