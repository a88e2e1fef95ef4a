package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestHungUpIsOver: a call that was hung up is not charged on while the other side delays the BYE, or refuses it.
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
					d.released(d.icscf, "has hung up")
					d.released(d.pcscf, "has hung up")
				}
			})
		})
	}
}

// TestByeThatDoesNotArrive: a BYE that ends the charging and not the call would leave the callee in one that nobody pays for: it is
// released from here. A correct BYE is the only one.
func TestByeThatDoesNotArrive(t *testing.T) {
	for name, c := range map[string]struct {
		uri    string
		lines  []string
		answer int
		sure   bool
		after  uint32 // the caller's last CSeq
	}{
		"as it should be":                {answer: 200, sure: true},
		"Max-Forwards ends at the next":  {lines: []string{"Max-Forwards: 1"}, answer: 483, after: 3},
		"to a server of the caller's":    {uri: "sip:callee@192.0.2.2:5070", answer: 200, after: 3},
		"to somebody else, by more hops": {lines: []string{"Route: %s, <sip:192.0.2.2;lr>"}, answer: 200, after: 3},
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				invite := d.talk()
				time.Sleep(10 * time.Second)

				at := d.icscf
				if c.uri == "" {
					c.uri = "sip:callee@192.0.2.2:5060"
				} else {
					at = d.network.Peer(t, "192.0.2.2:5070")
				}

				route, head := d.route, []string{"Call-ID: " + invite.CallID().Value(), "To: <" + bob + ">;tag=b"}
				for _, line := range c.lines {
					if strings.HasPrefix(line, "Route:") {
						line = strings.ReplaceAll(line, "%s", route)
					}
					head = append(head, line)
				}

				d.send(d.pcscf, "BYE", c.uri, route, head...)
				at.Answer(at.Request("BYE"), c.answer)
				d.pcscf.Response(c.answer)
				d.wantAsked("1#0", "3#1 used 10s cause 0")

				if c.sure {
					synctest.Wait()
					if more := len(d.icscf.All()) + len(d.pcscf.All()); more != 0 {
						t.Errorf("%d messages after the BYE", more)
					}

					return
				}

				second := d.icscf.Request("BYE")
				if tag, _ := second.From().Params.Get("tag"); tag != "a" || second.CSeq().SeqNo <= c.after {
					t.Errorf("the callee gets\n%s", second)
				}
				d.icscf.Answer(second, 200)
				d.released(d.pcscf, "has hung up")
				d.wantAsked("1#0", "3#1 used 10s cause 0")
			})
		})
	}
}

// TestByeThatIsRefusedHere: a BYE that the S-CSCF itself refuses ends the call all the same, if it comes from its sender's side.
func TestByeThatIsRefusedHere(t *testing.T) {
	for name, c := range map[string]struct {
		line   string
		status int
	}{
		"Max-Forwards is used up":           {"Max-Forwards: 0", 483},
		"Proxy-Require":                     {"Proxy-Require: gibberish", 420},
		"Route that cannot be read":         {"Route: %s, <sip:", 400},
		"an entry of Route without meaning": {"Route: %s, <sip:" + scscfAddress + ":port;lr>", 400},
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				invite := d.talk()
				time.Sleep(10 * time.Second)
				d.within(invite, "BYE", strings.ReplaceAll(c.line, "%s", d.route))
				d.pcscf.Response(c.status)
				d.wantAsked("1#0", "3#1 used 10s cause 0")
				d.released(d.icscf, "has hung up")
				d.released(d.pcscf, "has hung up")
				synctest.Wait()
				if n := d.server.calls.Len(); n != 0 {
					t.Errorf("%d calls are left", n)
				}
			})
		})
	}

	t.Run("in the other party's name", func(t *testing.T) {
		withDesk(t, nil, func(_ *testing.T, d *desk) {
			d.talk()
			d.send(d.pcscf, "BYE", callee, d.route, "Max-Forwards: 0", "From: <"+bob+">;tag=b", "To: <"+alice+">;tag=a", "Call-ID: call1")
			d.pcscf.Response(483)
			d.icscf.Silent()
			d.wantAsked("1#0")
		})
	})
}

// TestByeOfAnotherDialog: a BYE ends the call of its dialog, and no other that its Route names.
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
				if len(lines) > 0 { // replaced by those of the case
					kept := lines
					for _, line := range head[:2] {
						field, _, _ := strings.Cut(line, ":")
						if !strings.Contains(strings.Join(lines, "\n"), field+":") {
							kept = append(kept, line)
						}
					}
					head = kept
				}
				d.send(d.pcscf, "BYE", "sip:callee@192.0.2.2:5060", d.route, head...)
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

// TestRecordRoutePutBack: if a callee's side removes the S-CSCF from Record-Route it is put back: a BYE that passed it by would leave it
// charging.
func TestRecordRoutePutBack(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
		invite := d.icscf.Request("INVITE")
		sent := strings.Join(sip.Values(invite, "Record-Route"), ", ")
		d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>", "Record-Route: <sip:192.0.2.1;lr>")
		got := strings.Join(sip.Values(d.pcscf.Response(200), "Record-Route"), ", ")
		if token := sent[:len("<sip:call-")+
			13]; !strings.HasPrefix(got, token) || !strings.HasSuffix(got, "@"+scscfAddress+";lr>, <sip:192.0.2.1;lr>") {
			t.Errorf("Record-Route %s\nsent %s", got, sent)
		}
	})
}

// TestUnacknowledgedAnswer: a caller that never acknowledges the answer has not heard of it, as when its P-CSCF was restarted: the call
// is released.
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
