package session

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/border"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const abroad = "sip:carol@elsewhere.example"

var inside = []string{
	"P-Charging-Vector: icid-value=told",
	"P-Access-Network-Info: 3GPP-NR;utran-cell-id-3gpp=told",
	"P-Charging-Function-Addresses: ccf=told",
}

func withBorder(t *testing.T, change func(d *desk), test func(t *testing.T, d *desk)) {
	t.Helper()
	withDesk(t, func(d *desk) {
		d.core = border.Core{netip.MustParsePrefix("192.0.2.0/29"), netip.MustParsePrefix("192.0.2.40/32")}
		functions := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}
		d.config.Border = Border{
			Functions: func(a netip.Addr) bool { return slices.Contains(functions, a) }, Core: d.core.Holds,
		}
		if change != nil {
			change(d)
		}
	}, test)
}

func wantNothingOfTheCore(t *testing.T, m sip.Message) {
	t.Helper()
	for _, name := range trust.Withheld(trust.Core, trust.Foreign) {
		if sip.Has(m, name) {
			t.Errorf("%s leaves the trust domain:\n%s", name, m)
		}
	}
}

// TestCallAbroad: a call with another network, from the INVITE to the BYE of either side (TS 24.229 §4.4).
func TestCallAbroad(t *testing.T) {
	for _, restart := range []bool{false, true} {
		withBorder(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", abroad, serviceRoute, append(slices.Clone(inside), "Record-Route: <sip:192.0.2.1;lr>")...)
			invite := d.gateway.Request("INVITE")
			wantNothingOfTheCore(t, invite)

			record := sip.Value(invite, "Record-Route")
			d.gateway.Answer(
				invite,
				200,
				"To: <"+bob+">;tag=b",
				"Contact: <sip:carol@192.0.2.50:5060>",
				"Record-Route: "+record,
				"Record-Route: <sip:192.0.2.1;lr>",
				"P-Asserted-Identity: <"+alice+">",
				"P-Charging-Vector: icid-value=forged",
			)
			r := d.pcscf.Response(200)
			if sip.Has(r, "P-Asserted-Identity") || strings.Contains(r.String(), "forged") {
				t.Errorf("another network speaks for the core:\n%s", r)
			}
			route := sip.Value(r, "Record-Route")
			synctest.Wait()
			if restart {
				d.crash(time.Second)
			}

			in := append(slices.Clone(inside), "To: <"+bob+">;tag=b", "Call-ID: "+invite.CallID().Value())
			d.send(d.pcscf, "ACK", "sip:carol@192.0.2.50:5060", route, in...)
			wantNothingOfTheCore(t, d.gateway.Request("ACK"))
			d.send(d.pcscf, "INFO", "sip:carol@192.0.2.50:5060", route, in...)
			info := d.gateway.Request("INFO")
			wantNothingOfTheCore(t, info)
			d.gateway.Answer(info, 200)
			d.pcscf.Response(200)

			// It is outside the core, and hangs up all the same.
			d.send(
				d.gateway,
				"BYE",
				"sip:caller@192.0.2.1:5060",
				record+", <sip:192.0.2.1;lr>",
				"From: <"+bob+">;tag=b",
				"To: <"+alice+">;tag=a",
				"Call-ID: "+invite.CallID().Value(),
				"P-Asserted-Identity: <"+alice+">",
			)
			bye := d.pcscf.Request("BYE")
			if sip.Has(bye, "P-Asserted-Identity") {
				t.Errorf("another network speaks for the core:\n%s", bye)
			}
			d.pcscf.Answer(bye, 200)
			d.gateway.Response(200)
			synctest.Wait()
			if d.asked[len(d.asked)-1][:1] != "3" {
				t.Errorf("the call is charged on: %q", d.asked)
			}
		})
	}
}

// TestCancelAbroad: a CANCEL tells another network why, and not where the core is; trusted networks get all of it (TS 24.229 §4.4).
func TestCancelAbroad(t *testing.T) {
	const told, shown = `SIP;cause=408;text="no answer from 192.0.2.77:5060"`, `SIP;cause=408;text="no answer from a hidden address"`

	cancel := func(d *desk, invite *sip.Request, lines ...string) *sip.Request {
		branch, _ := d.pcscf.Response(180).Via().Params.Get("branch")
		d.pcscf.Send(scscfAddress, append([]string{
			"CANCEL " + invite.Recipient.String() + " SIP/2.0", "Via: SIP/2.0/UDP " + d.pcscf.Address() + ";branch=" + branch,
			fmt.Sprintf("CSeq: %d CANCEL", invite.CSeq().SeqNo), "Max-Forwards: 70", "From: <" + alice + ">;tag=a",
			"Call-ID: " + invite.CallID().Value(), "Reason: " + told,
		}, lines...)...)

		return d.gateway.Request("CANCEL")
	}
	want := func(t *testing.T, cancel *sip.Request, want string) {
		t.Helper()
		if got := sip.Value(cancel, "Reason"); got != want {
			t.Errorf("the other network hears %s, want %s", got, want)
		}
	}

	for _, test := range []struct {
		name    string
		trusted []string
		want    string
	}{
		{"another network", nil, shown},
		{"a trusted one", []string{"elsewhere.example"}, told},
	} {
		t.Run(test.name, func(t *testing.T) {
			withBorder(t, func(d *desk) { d.config.Border.Trusted = test.trusted }, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", abroad, serviceRoute)
				invite := d.gateway.Request("INVITE")
				d.gateway.Answer(invite, 180, "To: <"+bob+">;tag=b")
				want(t, cancel(d, invite, "To: <"+bob+">"), test.want)
			})
		})
	}

	t.Run("within the call", func(t *testing.T) {
		withBorder(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", abroad, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.gateway.Request("INVITE")
			d.gateway.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:carol@192.0.2.50:5060>",
				"Record-Route: "+sip.Value(invite, "Record-Route"), "Record-Route: <sip:192.0.2.1;lr>")
			route := sip.Value(d.pcscf.Response(200), "Record-Route")

			in := []string{"To: <" + bob + ">;tag=b", "Call-ID: " + invite.CallID().Value()}
			d.send(d.pcscf, "ACK", "sip:carol@192.0.2.50:5060", route, in...)
			d.gateway.Request("ACK")
			d.send(d.pcscf, "INVITE", "sip:carol@192.0.2.50:5060", route, in...)
			again := d.gateway.Request("INVITE")
			d.gateway.Answer(again, 180)
			want(t, cancel(d, again, in[0]), shown)
		})
	})
}

func TestTrustedNetwork(t *testing.T) {
	withBorder(t, func(d *desk) { d.config.Border.Trusted = []string{"Elsewhere.example"} }, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "MESSAGE", abroad, serviceRoute, inside...)
		r := d.gateway.Request("MESSAGE")
		if got := sip.Value(r, "P-Asserted-Identity"); got != "<"+alice+">" || !sip.Has(r, "P-Charging-Vector") {
			t.Errorf("a trusted network does not get what it should:\n%s", r)
		}
	})
}

// TestStranger: a request from outside the core is refused, whatever it says.
func TestStranger(t *testing.T) {
	withBorder(t, nil, func(t *testing.T, d *desk) {
		stranger := d.network.Peer(t, "198.51.100.9:5060")
		d.send(stranger, "MESSAGE", bob, serviceRoute)
		stranger.Response(403)
		invite := d.talk()
		d.send(
			stranger,
			"BYE",
			"sip:callee@192.0.2.2:5060",
			d.route,
			"To: <"+bob+">;tag=b",
			"Call-ID: "+invite.CallID().Value(),
		)
		stranger.Response(403)
		d.icscf.Silent()
		d.wantAsked("1#0")
	})
}

// TestIntoTheCore: a Request-URI gives no access to the ports of the core.
func TestIntoTheCore(t *testing.T) {
	for _, test := range []struct {
		name, target string
		reached      string // by: "" nobody, 403
	}{
		{"a function's address", "sip:x@192.0.2.2:5060", ""},
		{"a port of it that is not SIP's", "sip:x@192.0.2.1:9090", ""},
		{"its own", "sip:x@192.0.2.3:5060", ""},
		{"a function's name", "sip:x@icscf." + home, ""},
		{"an address in protection.core", "sip:x@192.0.2.40:22;transport=tcp", ""},
		{"another's name for it", "sip:x@evil.example", ""},
		{"an application server's own name", "sip:conference@as." + home, "as"},
		{"another network", abroad, "gateway"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withBorder(t, nil, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "MESSAGE", test.target, serviceRoute)
				switch test.reached {
				case "as":
					d.as.Request("MESSAGE")
				case "gateway":
					d.gateway.Request("MESSAGE")
				default:
					if r := d.pcscf.Response(403); !strings.Contains(sip.Value(r, "Reason"), "in the core") {
						t.Errorf("the refusal does not say why:\n%s", r)
					}
					d.icscf.Silent()
					d.as.Silent()
				}
				if n := d.network.Dials(netip.MustParseAddrPort("192.0.2.40:22")); n != 0 {
					t.Errorf("%d connections to 192.0.2.40:22", n)
				}
			})
		})
	}

	t.Run("within a call, where the route ends; and a BYE ends the call all the same", func(t *testing.T) {
		withBorder(t, nil, func(t *testing.T, d *desk) {
			invite := d.talk()
			in := []string{"To: <" + bob + ">;tag=b", "Call-ID: " + invite.CallID().Value()}
			d.send(d.pcscf, "ACK", "sip:x@192.0.2.1:9090", d.route, in...)
			d.send(d.pcscf, "INFO", "sip:x@192.0.2.1:9090", d.route, in...)
			d.pcscf.Response(403)
			d.within(invite, "INFO") // to the other party's remote target, though that is in the core
			d.icscf.Answer(d.icscf.Request("INFO"), 200)
			d.pcscf.Response(200)
			d.send(d.pcscf, "BYE", "sip:x@192.0.2.2:22", d.route, in...)
			d.pcscf.Response(403)
			d.wantAsked("1#0", "3#1 used 0s cause 0")
			if astray := d.network.Astray(); len(astray) != 0 {
				t.Errorf("something went to %v", astray)
			}
		})
	})
}
