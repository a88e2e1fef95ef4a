package zone

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func addresses(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}

	return all
}

// plan returns a network with everything in it.
func plan() *Plan {
	return &Plan{
		Domain: "ims.mnc070.mcc999.3gppnetwork.org",
		Server: addresses("10.4.128.21", "2001:db8::21"),
		Services: []Service{
			{Name: "pcscf", Addresses: addresses("10.4.128.21", "2001:db8::21"), Port: 5060},
			{Name: "icscf", Addresses: addresses("127.0.0.11"), Port: 5061, Apex: true},
			{Name: "scscf", Addresses: addresses("127.0.0.12"), Port: 5060},
		},
		Hosts: []Host{
			{Name: "hss.ims.mnc070.mcc999.3gppnetwork.org", Addresses: addresses("127.0.0.13")},
			{Name: "PCRF.epc.mnc070.mcc999.3gppnetwork.org.", Addresses: addresses("10.4.128.5")},
			{Name: "epdg.epc.mnc070.mcc999.pub.3gppnetwork.org", Addresses: addresses("10.4.128.6", "::ffff:10.4.128.7")},
		},
		Numbers: []Number{
			{Digits: "15550002", URI: "sip:+15550002@ims.mnc070.mcc999.3gppnetwork.org"},
			{Digits: "15550001", URI: "sip:o!k@ims.mnc070.mcc999.3gppnetwork.org"},
			{Digits: "15550001", URI: "sip:second@ims.mnc070.mcc999.3gppnetwork.org"},
			{Digits: "1555000a", URI: "sip:no.digits@example.org"},
			{Digits: "1234567890123456", URI: "sip:too.long@example.org"},
			{Digits: "15550003", URI: "sip:a\"b@example.org"},
			{Digits: "15550004", URI: "sip:" + strings.Repeat("a", 250)},
		},
	}
}

func zones(t *testing.T, p *Plan) []*Zone {
	t.Helper()

	all, err := p.Zones(2026112901)
	if err != nil {
		t.Fatal(err)
	}

	return all
}

// The zones of a network, as files.
func TestZones(t *testing.T) {
	var text strings.Builder
	for _, z := range zones(t, plan()) {
		text.WriteString(z.Text() + "\n")
	}

	golden := filepath.Join("testdata", "zones.golden")
	if os.Getenv("GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}

	if text.String() != string(want) {
		t.Errorf("the zones are\n%s\nwant\n%s", text.String(), want)
	}
}

func TestOrigins(t *testing.T) {
	for domain, want := range map[string]string{
		"ims.mnc001.mcc001.3gppnetwork.org": "ims.mnc001.mcc001.3gppnetwork.org. epc.mnc001.mcc001.3gppnetwork.org. " +
			"mnc001.mcc001.pub.3gppnetwork.org. e164.arpa.",
		"IMS.mnc260.mcc310.3gppnetwork.org.": "ims.mnc260.mcc310.3gppnetwork.org. epc.mnc260.mcc310.3gppnetwork.org. " +
			"mnc260.mcc310.pub.3gppnetwork.org. e164.arpa.",
		"ims.example.org": "ims.example.org. e164.arpa.",
		"example.org":     "example.org. e164.arpa.",
	} {
		if got := strings.Join(Origins(domain), " "); got != want {
			t.Errorf("%s: %s", domain, got)
		}
	}
}

func TestPlanRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Plan){
		"no name server":        func(p *Plan) { p.Server = nil },
		"no domain":             func(p *Plan) { p.Domain = "" },
		"a domain that is none": func(p *Plan) { p.Domain = "a..b" },
		"a host elsewhere":      func(p *Plan) { p.Hosts = []Host{{Name: "pcrf.example.org"}} },
		"a host that is none":   func(p *Plan) { p.Hosts = []Host{{Name: "a..b.ims.mnc070.mcc999.3gppnetwork.org"}} },
	} {
		p := plan()
		if spoil(p); p != nil {
			if _, err := p.Zones(1); err == nil {
				t.Errorf("%s: it is taken", name)
			}
		}
	}
}

// A name between two others exists, without records (RFC 4592 §2.2.2); one with nothing below it does not.
func TestFind(t *testing.T) {
	all := zones(t, plan())

	for _, test := range []struct {
		name   string
		kind   uint16
		found  int
		exists bool
	}{
		{"ims.mnc070.mcc999.3gppnetwork.org.", dns.TypeNAPTR, 2, true},
		{"ims.mnc070.mcc999.3gppnetwork.org.", dns.TypeA, 1, true},
		{"ims.mnc070.mcc999.3gppnetwork.org.", dns.TypeAAAA, 0, true},
		{"_udp.ims.mnc070.mcc999.3gppnetwork.org.", dns.TypeSRV, 0, true},
		{"_sctp.ims.mnc070.mcc999.3gppnetwork.org.", dns.TypeSRV, 0, false},
		{"epc.mnc070.mcc999.pub.3gppnetwork.org.", dns.TypeA, 0, true},
		{"2.0.0.0.5.5.5.1.e164.arpa.", dns.TypeNAPTR, 1, true},
		{"5.5.5.1.e164.arpa.", dns.TypeNAPTR, 0, true},
		{"6.5.5.1.e164.arpa.", dns.TypeNAPTR, 0, false},
	} {
		found, exists := Of(all, test.name).Find(test.name, test.kind)
		if len(found) != test.found || exists != test.exists {
			t.Errorf("%s: %v %v", test.name, found, exists)
		}
	}

	for _, elsewhere := range []string{"mnc070.mcc999.3gppnetwork.org.", "notims.mnc070.mcc999.3gppnetwork.org.", ".", "arpa."} {
		if z := Of(all, elsewhere); z != nil {
			t.Errorf("%s is in %s", elsewhere, z.Origin)
		}
	}
}

// No negative answer is given for a number while the numbers are not known.
func TestNumbersUnknown(t *testing.T) {
	p := plan()
	p.Numbers = nil

	if z := Of(zones(t, p), "1.0.0.0.5.5.5.1.e164.arpa."); z != nil {
		t.Errorf("there is a zone %s", z.Origin)
	}

	p.Numbers = []Number{}

	if z := Of(zones(t, p), "1.0.0.0.5.5.5.1.e164.arpa."); z == nil {
		t.Error("there is no zone for numbers, of which there are none")
	}
}

// BIND loads the files without complaint.
func TestFilesLoadInBIND(t *testing.T) {
	for _, p := range []*Plan{plan(), {Domain: "ims.example.org", Server: addresses("192.0.2.1"), Numbers: []Number{}}} {
		for _, z := range zones(t, p) {
			file := filepath.Join(t.TempDir(), "zone")
			if err := os.WriteFile(file, []byte(z.Text()), 0o600); err != nil {
				t.Fatal(err)
			}

			out, err := exec.Command("named-checkzone", z.Origin, file).CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("loaded serial 2026112901")) || bytes.Count(out, []byte("\n")) != 2 {
				t.Errorf("named-checkzone %s (Debian's bind9-utils): %v\n%s", z.Origin, err, out)
			}
		}
	}
}
