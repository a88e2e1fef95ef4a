package gm

import (
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// told returns all header fields of the table, each with a value that is recognised on the other side.
func told() (lines []string) {
	for _, f := range trust.Fields {
		value := "<sip:told@ims.example>"

		switch f.Name {
		case "P-Access-Network-Info", "Cellular-Network-Info":
			value = "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=told"
		case "P-Charging-Vector":
			value = "icid-value=told"
		case "Security-Client", "Security-Verify", "Security-Server":
			value = "ipsec-3gpp;told=1"
		}

		lines = append(lines, f.Name+": "+value)
	}

	return append(lines, "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=claimed;network-provided")
}

// crossed expects that a message from one side to the other has what may cross, and nothing else.
func crossed(t *testing.T, m sip.Message, from, to trust.Party) {
	t.Helper()

	withheld := trust.Withheld(from, to)
	for _, f := range trust.Fields {
		got := strings.Contains(strings.Join(sip.Values(m, f.Name), ", "), "told")
		if may := !slices.Contains(withheld, f.Name); got != may {
			t.Errorf("%s of the %s before the eyes of the %s: %t, want %t, in\n%s", f.Name, from, to, got, may, m)
		}
	}
	if from == trust.Handset && strings.Contains(m.String(), "network-provided") {
		t.Errorf("a handset speaks for the network:\n%s", m)
	}
}

// TS 24.229 §4.4: what crosses between handset and core, in every kind of message.
func TestWhatCrosses(t *testing.T) {
	const handset, core = trust.Handset, trust.Core

	t.Run("REGISTER and its response", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send("REGISTER", "sip:ims.example", append(told(), "To: <"+alice+">", authorization)...)
			r := d.icscf.Request("REGISTER")
			crossed(t, r, handset, core)
			d.icscf.Answer(r, 200, append(told(), "Contact: <sip:alice@"+aliceAt+">;expires=600")...)
			crossed(t, d.alice.Response(200), core, handset)
		})
	})

	t.Run("an initial request of the handset, its responses, ACK, what follows", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			d.send("INVITE", bob, told()...)
			r := d.scscf.Request("INVITE")
			crossed(t, r, handset, core)

			tag := "To: <" + bob + ">;tag=b"
			d.scscf.Answer(r, 180, append(told(), tag)...)
			crossed(t, d.alice.Response(180), core, handset)

			answer := []string{tag, "Contact: <sip:bob@198.51.100.7>", "Record-Route: <" + route + ">"}
			var routes []string
			for _, record := range sip.Values(r, "Record-Route") {
				answer = append(answer, "Record-Route: "+record)
				routes = append([]string{"Route: " + record}, routes...)
			}
			d.scscf.Answer(r, 200, append(told(), answer...)...)
			crossed(t, d.alice.Response(200), core, handset)

			inside := slices.Concat(told(), routes, []string{"Route: <" + route + ">"})
			d.within("ACK", r.CallID().Value(), inside...)
			crossed(t, d.scscf.Request("ACK"), handset, core)

			d.within("INFO", r.CallID().Value(), inside...)
			info := d.scscf.Request("INFO")
			crossed(t, info, handset, core)
			d.scscf.Answer(info, 488, told()...)
			crossed(t, d.alice.Response(488), core, handset)
		})
	})

	t.Run("an initial request to the handset, its responses, ACK, what follows", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			core0 := []string{"P-Charging-Vector:", "P-Called-Party-ID:", "P-Served-User:"} // toAlice has its own
			d.toAlice("INVITE", append(core0, told()...)...)
			r := d.alice.Request("INVITE")
			crossed(t, r, core, handset)
			records := sip.Values(r, "Record-Route")

			contact := "Contact: <sip:alice@" + aliceAt + ">"
			for _, status := range []int{183, 200} {
				lines := []string{"To: <" + alice + ">;tag=a", contact}
				for _, record := range records {
					lines = append(lines, "Record-Route: "+record)
				}
				d.alice.Answer(r, status, append(told(), lines...)...)
				response := d.scscf.Response(status)
				sip.Remove(response, "P-Charging-Vector") // that of the request, which the P-CSCF repeats
				crossed(t, response, handset, core)
			}

			within := slices.Concat(core0, told(), []string{"To: <" + alice + ">;tag=a", "Call-ID: " + r.CallID().Value(), "Record-Route:"})
			d.toAlice("ACK", within...)
			crossed(t, d.alice.Request("ACK"), core, handset)
			d.toAlice("INFO", within...)
			info := d.alice.Request("INFO")
			want(t, info, "P-Asserted-Identity", "") // TestNoIdentityIsShownWithinADialog
			sip.Add(info, "P-Asserted-Identity", "told")
			crossed(t, info, core, handset)
			d.alice.Answer(info, 488, told()...)
			response := d.scscf.Response(488)
			sip.Remove(response, "P-Charging-Vector")
			crossed(t, response, handset, core)
		})
	})

	t.Run("CANCEL of the handset", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			branch := "Via: SIP/2.0/UDP " + aliceAt + ";rport;branch=z9hG4bKcancelled"
			d.send("INVITE", bob, branch, "Call-ID: c", "CSeq: 1 INVITE")
			d.scscf.Answer(d.scscf.Request("INVITE"), 180, "To: <"+bob+">;tag=b")
			d.alice.Response(180)
			d.send("CANCEL", bob, append(told(), branch, "Call-ID: c", "CSeq: 1 CANCEL")...)
			noneTold(t, d.scscf.Request("CANCEL"))
		})
	})

	t.Run("CANCEL of the core", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			branch := "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKcancelled"
			d.toAlice("INVITE", branch, "Call-ID: d", "CSeq: 1 INVITE")
			d.alice.Answer(d.alice.Request("INVITE"), 180, "To: <"+alice+">;tag=a")
			d.scscf.Response(180)
			d.toAlice("CANCEL", append(told(), branch, "Call-ID: d", "CSeq: 1 CANCEL")...)
			noneTold(t, d.alice.Request("CANCEL"))
		})
	})
}

func noneTold(t *testing.T, m sip.Message) {
	t.Helper()
	sip.Remove(m, "Reason") // it travels with CANCEL (RFC 3326); what is in its text: TestCoreIsNotNamed
	if strings.Contains(m.String(), "told") {
		t.Errorf("goes on:\n%s", m)
	}
}
