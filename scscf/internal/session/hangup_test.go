package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// What was hung up is not charged on while the other side takes its time with the BYE, or refuses it.
func TestHungUpIsOver(t *testing.T) {
	for name, answer := range map[string]int{"silent": 0, "401": 401, "500": 500, "481": 481} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				invite := d.talk()
				time.Sleep(100 * time.Second)
				d.within(invite, "BYE")
				d.wantAsked("1#0", "3#1 used 100s cause 0")
				if answer != 0 {
					d.icscf.Answer(d.icscf.Request("BYE"), answer)
					d.pcscf.Response(answer)
				}
			})
		})
	}
}

// A BYE ends the call whose dialog it is in, and no other that its Route names.
func TestByeOfAnotherDialog(t *testing.T) {
	for name, lines := range map[string][]string{
		"another Call-ID":                  {"Call-ID: other"},
		"another callee behind the fork":   {"To: <" + bob + ">;tag=b2"},
		"another tag of the caller":        {"From: <" + alice + ">;tag=x"},
		"the tags the wrong way round":     {"From: <" + alice + ">;tag=b", "To: <" + bob + ">;tag=b"},
		"another caller's with this Route": {"From: <" + alice + ">;tag=x", "To: <" + bob + ">;tag=y", "Call-ID: other"},
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				invite := d.talk()
				head := append([]string{"To: <" + bob + ">;tag=b", "Call-ID: " + invite.CallID().Value()}, lines...)
				if len(lines) > 0 { // those of the case come instead
					kept := lines
					for _, line := range head[:2] {
						field, _, _ := strings.Cut(line, ":")
						if !strings.Contains(strings.Join(lines, "\n"), field+":") {
							kept = append(kept, line)
						}
					}
					head = kept
				}
				d.send(d.pcscf, "BYE", "sip:callee@192.0.2.2:5060", sip.Value(invite, "Record-Route"), head...)
				d.icscf.Answer(d.icscf.Request("BYE"), 481)
				d.pcscf.Response(481)
				d.wantAsked("1#0")

				d.within(invite, "BYE")
				d.icscf.Answer(d.icscf.Request("BYE"), 200)
				d.pcscf.Response(200)
				d.wantAsked("1#0", "3#1 used 0s cause 0")
			})
		})
	}
}

// A callee's side that takes the S-CSCF out of Record-Route gets it back: a BYE that passed it by would leave it charging.
func TestRecordRoutePutBack(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
		invite := d.icscf.Request("INVITE")
		sent := strings.Join(sip.Values(invite, "Record-Route"), ", ")
		d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>", "Record-Route: <sip:192.0.2.1;lr>")
		if got := strings.Join(sip.Values(d.pcscf.Response(200), "Record-Route"), ", "); got != sent || !strings.Contains(got, "call-") {
			t.Errorf("Record-Route %s\nwant %s", got, sent)
		}
	})
}

// A caller that never acknowledges the answer has not heard of it, as when its P-CSCF was restarted: the call is released.
func TestUnacknowledgedAnswer(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
		invite := d.icscf.Request("INVITE")
		d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>")
		d.pcscf.Response(200)
		synctest.Wait()
		time.Sleep(ackTime - time.Second)
		d.pcscf.Silent()
		d.released(d.pcscf, "acknowledged")
		d.released(d.icscf, "acknowledged")
		d.wantAsked("1#0", "3#1 used 128s cause 1")
	})
}
