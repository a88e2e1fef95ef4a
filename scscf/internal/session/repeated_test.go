package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestInviteOfARestartedPCSCF: a restarted P-CSCF takes the handset's retransmission for a new INVITE (RFC 3261 §8.2.2.2). The caller has
// one call all the same, and pays for one.
func TestInviteOfARestartedPCSCF(t *testing.T) {
	const ringing, answered, declined, withAnother = "it rings", "it is answered", "it was declined", "it comes from another contact"

	for _, moment := range []string{ringing, answered, declined, withAnother} {
		t.Run(moment, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				send := func(more ...string) {
					d.cseq = 0
					d.send(d.pcscf, "INVITE", bob, serviceRoute,
						append(more, "Record-Route: <sip:token@192.0.2.1;lr>", "P-Charging-Vector: icid-value="+sip.NewBranch())...)
				}
				ok := []string{"To: <" + bob + ">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>"}

				send()
				invite := d.icscf.Request("INVITE")
				switch moment {
				case answered:
					d.icscf.Answer(invite, 200, ok...)
					d.pcscf.Response(200)
				case declined:
					d.icscf.Answer(invite, 486, ok...)
					d.icscf.Request("ACK")
					d.pcscf.Response(486)
				default:
					d.icscf.Answer(invite, 180, ok...)
					d.pcscf.Response(180)
				}

				if moment == declined { // and is a call like any other
					d.wantAsked("1#0", "3#1 used 0s cause 486")
					send()
					d.icscf.Answer(d.icscf.Request("INVITE"), 486, ok...)
					d.icscf.Request("ACK")
					d.pcscf.Response(486)
					d.wantAsked("1#0", "3#1 used 0s cause 486", "1#0", "3#1 used 0s cause 486")
					return
				}
				if moment == withAnother {
					send("Contact: <sip:caller@192.0.2.8>")
					d.icscf.Request("INVITE")
					d.wantAsked("1#0", "1#0")
					return
				}

				send()
				branch := func(r *sip.Response) string { b, _ := r.Via().Params.Get("branch"); return b }
				if moment == ringing {
					d.pcscf.Response(180)
					d.icscf.Silent()
					d.icscf.Answer(invite, 200, ok...)
				} else {
					d.icscf.Silent()
					d.icscf.Answer(invite, 200, ok...) // it is repeated, as nobody acknowledges it
				}
				first, second := d.pcscf.Response(200), d.pcscf.Response(200)
				if branch(first) == branch(second) || sip.Value(first, "Record-Route") != sip.Value(second, "Record-Route") {
					t.Errorf("the answers are\n%s\n%s", first, second)
				}

				d.route = sip.Value(second, "Record-Route")
				d.within(invite, "ACK")
				d.icscf.Request("ACK")
				time.Sleep(10 * time.Second)
				d.within(invite, "BYE")
				d.icscf.Answer(d.icscf.Request("BYE"), 200)
				d.pcscf.Response(200)
				d.wantAsked("1#0", "3#1 used 10s cause 0")
			})
		})
	}

	t.Run("it is given up", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			for range 2 {
				d.cseq = 0
				d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:token@192.0.2.1;lr>")
				synctest.Wait()
			}
			invite := d.icscf.Request("INVITE")
			d.icscf.Answer(invite, 180, "To: <"+bob+">;tag=b")
			d.pcscf.Response(180)
			branch, _ := d.pcscf.Response(180).Via().Params.Get("branch")

			d.pcscf.Send(scscfAddress, "CANCEL "+bob+" SIP/2.0", "Via: SIP/2.0/UDP "+d.pcscf.Address()+";branch="+branch, "CSeq: 1 CANCEL",
				"Max-Forwards: 70", "From: <"+alice+">;tag=a", "To: <"+bob+">", "Call-ID: call1")
			d.icscf.Answer(d.icscf.Request("CANCEL"), 200)
			d.icscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			synctest.Wait()
			terminated := 0
			for _, m := range d.pcscf.All() {
				if r, ok := m.(*sip.Response); ok && r.StatusCode == 487 && strings.Contains(r.CSeq().Value(), "INVITE") {
					terminated++
				}
			}
			if terminated != 2 {
				t.Errorf("%d answers 487, want both", terminated)
			}
			d.wantAsked("1#0", "3#1 used 0s cause 487")
		})
	})
}
