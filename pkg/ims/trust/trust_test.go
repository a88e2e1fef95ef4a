package trust

import (
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/page"
)

// TS 24.229 §4.4: who tells whom what.
func TestWithheld(t *testing.T) {
	for _, test := range []struct {
		name    string
		from    Party
		to      Party
		crosses bool
	}{
		{"P-Asserted-Identity", Handset, Core, false},
		{"P-Asserted-Identity", Core, Handset, true},
		{"P-Asserted-Identity", Core, Foreign, false},
		{"P-Asserted-Identity", Foreign, Core, false},
		{"P-Preferred-Identity", Handset, Core, false},
		{"P-Preferred-Identity", Core, Handset, false},
		{"P-Preferred-Service", Handset, Core, true},
		{"P-Preferred-Service", Core, Handset, false},
		{"P-Asserted-Service", Handset, Core, false},
		{"P-Asserted-Service", Core, Handset, false},
		{"P-Access-Network-Info", Handset, Core, true},
		{"P-Access-Network-Info", Core, Handset, false},
		{"P-Access-Network-Info", Core, Foreign, false},
		{"Cellular-Network-Info", Core, Handset, false},
		{"P-Visited-Network-ID", Handset, Core, false},
		{"P-Visited-Network-ID", Core, Handset, false},
		{"P-Charging-Vector", Handset, Core, false},
		{"P-Charging-Vector", Core, Handset, false},
		{"P-Charging-Vector", Core, Foreign, false},
		{"P-Charging-Function-Addresses", Core, Handset, false},
		{"P-Associated-URI", Handset, Core, false},
		{"P-Associated-URI", Core, Handset, true},
		{"P-Called-Party-ID", Handset, Core, false},
		{"P-Called-Party-ID", Core, Handset, true},
		{"P-Served-User", Handset, Core, false},
		{"P-Served-User", Core, Handset, false},
		{"P-Profile-Key", Core, Handset, false},
		{"P-User-Database", Core, Handset, false},
		{"P-Private-Network-Indication", Handset, Core, false},
		{"Service-Route", Handset, Core, false},
		{"Service-Route", Core, Handset, true},
		{"Path", Handset, Core, false},
		{"Path", Core, Handset, true},
		{"Security-Client", Handset, Core, false},
		{"Security-Verify", Handset, Core, false},
		{"Security-Server", Core, Handset, false},
		{"Attestation-Info", Handset, Core, false},
		{"Origination-Id", Core, Handset, false},
		{"Restoration-Info", Core, Handset, false},
		{"Relayed-Charge", Handset, Core, false},
		{"Service-Interact-Info", Core, Handset, false},
		{"Response-Source", Core, Handset, false},
		{"Warning", Core, Handset, false},
		{"Warning", Handset, Core, true},
		{"Privacy", Handset, Core, true},
		{"Reason", Handset, Core, true},
	} {
		t.Run(test.name+" of the "+test.from.String()+" to the "+test.to.String(), func(t *testing.T) {
			if got := !slices.Contains(Withheld(test.from, test.to), test.name); got != test.crosses {
				t.Errorf("crosses: %t, want %t", got, test.crosses)
			}

			m, err := sip.ParseMessage(
				[]byte(
					"MESSAGE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\n" +
						"CSeq: 1 MESSAGE\r\n" +
						strings.ToUpper(
							test.name,
						) + ": a, b\r\nSubject: x\r\n" + test.name + ": c\r\n\r\n",
				),
			)
			if err != nil {
				t.Fatal(err)
			}
			Cross(m, test.from, test.to)
			if n := len(sip.Values(m, test.name)); (n == 3) != test.crosses || n != 0 && n != 3 || !sip.Has(m, "Subject") {
				t.Errorf("%d values cross in\n%s", n, m)
			}
		})
	}

	for _, f := range Fields {
		if f.Name == "" || f.From == "" {
			t.Errorf("%+v is not complete", f)
		}
	}
}

// RFC 7315 §4.4: what the network provides is not for a handset to say.
func TestNetworkProvided(t *testing.T) {
	m, err := sip.ParseMessage(
		[]byte(
			"MESSAGE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\n" +
				"CSeq: 1 MESSAGE\r\n" +
				"P-Access-Network-Info: 3GPP-NR;cell=1, 3GPP-NR;cell=2;Network-Provided\r\nP-access-network-info: 3GPP-NR;network-provided;cell=3\r\n" +
				"\r\n",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	Cross(m, Handset, Core)
	if got := sip.Values(m, "P-Access-Network-Info"); len(got) != 1 || got[0] != "3GPP-NR;cell=1" {
		t.Errorf("%q", got)
	}
}

func TestPage(t *testing.T) {
	page.Read(t, "trust.md").Shows(Table())
}

func BenchmarkCross(b *testing.B) {
	m, err := sip.ParseMessage(
		[]byte(
			"MESSAGE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\n" +
				"CSeq: 1 MESSAGE\r\n" +
				"P-Access-Network-Info: 3GPP-NR;cell=1\r\nUser-Agent: x\r\nAllow: INVITE\r\nSupported: path\r\nAccept: x\r\nContact: <sip:a>\r\n" +
				"Route: <sip:a;lr>\r\n\r\n",
		),
	)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Cross(m, Handset, Core)
	}
}
