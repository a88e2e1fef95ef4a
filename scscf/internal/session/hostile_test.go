package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

const callee = "sip:callee@192.0.2.2:5060"

// back sends a request of the callee within the call, from its side.
func (d *desk) back(invite *sip.Request, method string, lines ...string) {
	d.t.Helper()
	d.send(d.icscf, method, "sip:caller@192.0.2.1:5060", sip.Value(invite, "Record-Route")+", <sip:192.0.2.1;lr>",
		append([]string{"From: <" + bob + ">;tag=b", "To: <" + alice + ">;tag=a", "Call-ID: " + invite.CallID().Value()}, lines...)...)
}

// answered sends a request of the caller within the call, which the callee answers.
func (d *desk) answered(invite *sip.Request, method string, status int, lines ...string) {
	d.t.Helper()
	d.within(invite, method, lines...)
	d.icscf.Answer(d.icscf.Request(method), status)
	d.pcscf.Response(status)
}

// slowly makes the OCS take some time for reports.
func slowly(d *desk, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		if q.Type != ro.Initial {
			d.mu.Unlock()
			time.Sleep(took)
			d.mu.Lock()
		}

		seconds := uint32(600)
		a := &ro.CCA{MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &seconds}}}}
		a.Result = ro.Success

		return a, nil
	}
}

// TestOddRequestsWithinACall: an odd or hostile request within a call gets the right response, and costs what it should: the call is
// charged from its answer to its end, once.
func TestOddRequestsWithinACall(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, d *desk, invite *sip.Request)
		want []string // CCRs
	}{
		{"re-INVITEs that cross (RFC 3261 §14.1): both are refused, and the call goes on", func(_ *testing.T, d *desk, invite *sip.Request) {
			d.within(invite, "INVITE")
			d.back(invite, "INVITE")
			there, here := d.icscf.Request("INVITE"), d.pcscf.Request("INVITE")
			d.icscf.Answer(there, 491)
			d.icscf.Request("ACK")
			d.pcscf.Response(491)
			d.pcscf.Answer(here, 491)
			d.pcscf.Request("ACK")
			d.icscf.Response(491)
			d.answered(invite, "BYE", 200)
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"a re-INVITE that is refused moves nobody (RFC 3261 §12.2)", func(t *testing.T, d *desk, invite *sip.Request) {
			d.answered(invite, "INVITE", 488, "Contact: <sip:elsewhere@192.0.2.1:5060>")
			d.abort(t)
			if bye := d.pcscf.Request("BYE"); bye.Recipient.User != "caller" {
				t.Errorf("the BYE goes to %s", bye.Recipient.String())
			}
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"a re-INVITE that is taken moves its sender", func(t *testing.T, d *desk, invite *sip.Request) {
			d.answered(invite, "INVITE", 200, "Contact: <sip:elsewhere@192.0.2.1:5060>")
			d.abort(t)
			if bye := d.pcscf.Request("BYE"); bye.Recipient.User != "elsewhere" {
				t.Errorf("the BYE goes to %s", bye.Recipient.String())
			}
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"BYE while an update of the charging is on its way", func(_ *testing.T, d *desk, invite *sip.Request) {
			slowly(d, 5*time.Second)
			time.Sleep(582 * time.Second)
			d.answered(invite, "BYE", 200)
			time.Sleep(10 * time.Second)
		}, []string{"1#0", "2#1 used 590s", "3#2 used 2s cause 0"}},
		{"UPDATE and re-INVITE after the BYE, while the OCS takes its time", func(_ *testing.T, d *desk, invite *sip.Request) {
			slowly(d, 5*time.Second)
			d.answered(invite, "BYE", 200)
			d.within(invite, "UPDATE")
			d.pcscf.Response(481)
			d.back(invite, "INVITE")
			d.icscf.Response(481)
			d.icscf.Silent()
			time.Sleep(10 * time.Second)
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"a second BYE, while the OCS takes its time", func(_ *testing.T, d *desk, invite *sip.Request) {
			slowly(d, 5*time.Second)
			d.answered(invite, "BYE", 200)
			d.answered(invite, "BYE", 481)
			time.Sleep(10 * time.Second)
			d.pcscf.Silent()
			d.icscf.Silent()
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"a second BYE, when all is over", func(_ *testing.T, d *desk, invite *sip.Request) {
			d.answered(invite, "BYE", 200)
			synctest.Wait()
			d.answered(invite, "BYE", 481)
			d.pcscf.Silent()
			d.icscf.Silent()
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"BYEs that cross", func(_ *testing.T, d *desk, invite *sip.Request) {
			d.within(invite, "BYE")
			d.back(invite, "BYE")
			there, here := d.icscf.Request("BYE"), d.pcscf.Request("BYE")
			d.icscf.Answer(there, 200)
			d.pcscf.Answer(here, 200)
			d.pcscf.Response(200)
			d.icscf.Response(200)
			synctest.Wait()
			d.pcscf.Silent()
			d.icscf.Silent()
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"CANCEL after the 200 (RFC 3261 §9.2)", func(t *testing.T, d *desk, invite *sip.Request) {
			vias := strings.Split(sip.Values(invite, "Via")[1], ",")
			d.pcscf.Send(scscfAddress, "CANCEL "+bob+" SIP/2.0", "Via: "+vias[0], "Max-Forwards: 70", "Route: "+serviceRoute,
				"From: <"+alice+">;tag=a", "To: <"+bob+">", "Call-ID: "+invite.CallID().Value(), "CSeq: 1 CANCEL")
			if r := d.pcscf.Next().(*sip.Response); r.StatusCode != 200 && r.StatusCode != 481 {
				t.Errorf("CANCEL: %d", r.StatusCode)
			}
			d.icscf.Silent()
			d.answered(invite, "BYE", 200)
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"PRACK in no dialog of this S-CSCF's", func(_ *testing.T, d *desk, invite *sip.Request) {
			d.send(d.pcscf, "PRACK", "sip:"+scscfAddress, "", "To: <"+bob+">;tag=x", "RAck: 1 1 INVITE")
			d.pcscf.Response(481)
			d.answered(invite, "BYE", 200)
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"PRACK of another Call-ID by the call's Route passes, and changes nothing", func(_ *testing.T, d *desk, invite *sip.Request) {
			d.send(d.pcscf, "PRACK", callee, d.route, "To: <"+bob+">;tag=b", "RAck: 1 1 INVITE")
			d.icscf.Answer(d.icscf.Request("PRACK"), 481)
			d.pcscf.Response(481)
			d.answered(invite, "BYE", 200)
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"NOTIFY in the call's dialog, as of a REFER", func(_ *testing.T, d *desk, invite *sip.Request) {
			d.back(invite, "NOTIFY", "Event: refer", "Subscription-State: active")
			d.pcscf.Answer(d.pcscf.Request("NOTIFY"), 200)
			d.icscf.Response(200)
			d.answered(invite, "BYE", 200)
		}, []string{"1#0", "3#1 used 10s cause 0"}},
		{"a message of another Call-ID by the call's Route is no free one", func(_ *testing.T, d *desk, invite *sip.Request) {
			d.send(d.pcscf, "MESSAGE", callee, d.route, "To: <"+bob+">;tag=b", "Content-Type: text/plain", "\nhello!")
			d.icscf.Answer(d.icscf.Request("MESSAGE"), 200)
			d.pcscf.Response(200)
			synctest.Wait()
			d.answered(invite, "BYE", 200)
		}, []string{"1#0", "1#0", "3#1 used 1 cause -1", "3#1 used 10s cause 0"}},
		{"who has used up its numbers is released all the same", func(t *testing.T, d *desk, invite *sip.Request) {
			d.cseq = 1<<31 - 2
			d.answered(invite, "INFO", 200)
			d.cseq = 1
			d.abort(t)
			if bye := d.icscf.Request("BYE"); bye.CSeq().SeqNo != 1<<31-1 {
				t.Errorf("the BYE has CSeq %d", bye.CSeq().SeqNo)
			}
		}, []string{"1#0", "3#1 used 10s cause 0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) {
				d.charge.Events, d.charge.InDialog = charging.Reserved, []string{"MESSAGE"}
			}, func(t *testing.T, d *desk) {
				invite := d.talk()
				time.Sleep(10 * time.Second)
				test.run(t, d, invite)
				d.wantAsked(test.want...)
				if n := d.server.calls.Len(); n != 0 {
					t.Errorf("%d calls are left", n)
				}
			})
		})
	}
}

// abort sends an ASR of the OCS for the call.
func (d *desk) abort(t *testing.T) {
	t.Helper()

	q := &ro.ASR{}
	q.SessionID = d.session
	if _, err := d.trigger.Abort(t.Context(), q); err != nil {
		t.Fatal(err)
	}
}

// TestMessageWhileItRings: a message while the call rings is charged, too.
func TestMessageWhileItRings(t *testing.T) {
	withDesk(t, func(d *desk) {
		d.charge.Events, d.charge.InDialog = charging.Reserved, []string{"MESSAGE"}
	}, func(_ *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
		invite := d.icscf.Request("INVITE")
		d.icscf.Answer(invite, 183, "To: <"+bob+">;tag=b", "Contact: <"+callee+">")
		d.route = sip.Value(d.pcscf.Response(183), "Record-Route")
		d.answered(invite, "MESSAGE", 200, "Content-Type: text/plain", "\nhello!")
		d.wantAsked("1#0", "1#0", "3#1 used 1 cause -1")
	})
}

// TestCallThatCouldNotBeReleased: a call that could not be ended from here when its credit is used up does not begin; one whose callee
// gives no Contact is ended where the call went.
func TestCallThatCouldNotBeReleased(t *testing.T) {
	for name, line := range map[string]string{
		"no Contact": "Contact:", "two": "Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.1>",
		"no Contact that can be read": "Contact: <sip:", "no Record-Route that can be read": "Record-Route: <sip:",
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, nil, func(_ *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", bob, serviceRoute, line)
				d.pcscf.Response(400)
				d.icscf.Silent()
				d.wantAsked()
			})
		})
	}

	t.Run("the callee's 200 has no Contact", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.icscf.Request("INVITE")
			d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Record-Route: <sip:192.0.2.2;lr>",
				"Record-Route: "+sip.Value(invite, "Record-Route"), "Record-Route: <sip:192.0.2.1;lr>")
			d.pcscf.Response(200)
			synctest.Wait()
			time.Sleep(10 * time.Second)
			d.abort(t)
			d.released(d.pcscf, "the OCS ends the session")
			if bye := d.icscf.Request("BYE"); bye.Recipient.String() != bob {
				t.Errorf("the BYE goes to %s", bye.Recipient.String())
			}
			d.wantAsked("1#0", "3#1 used 10s cause 0")
		})
	})

	t.Run("the callee's 200 has no Contact, and the credit ends", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.icscf.Request("INVITE")
			d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Record-Route: <sip:192.0.2.2;lr>",
				"Record-Route: "+sip.Value(invite, "Record-Route"), "Record-Route: <sip:192.0.2.1;lr>")
			d.route = sip.Values(d.pcscf.Response(200), "Record-Route")[1] // behind the callee's
			d.within(invite, "ACK")
			d.icscf.Request("ACK")
			d.mu.Lock()
			d.ocs = noCredit
			d.mu.Unlock()
			time.Sleep(595 * time.Second)
			d.released(d.pcscf, "402")
			d.released(d.icscf, "402")
			synctest.Wait()
			_, _ = d.pcscf.All(), d.icscf.All() // BYEs that were repeated
			d.within(invite, "UPDATE")
			d.pcscf.Response(481)
			d.icscf.Silent()
			if n := d.server.calls.Len(); n != 0 {
				t.Errorf("%d calls are left", n)
			}
		})
	})

	t.Run("the served callee's 200 has no Contact", func(t *testing.T) {
		withDesk(t, func(d *desk) { d.user(bob, registration.Registered) }, func(t *testing.T, d *desk) {
			d.send(d.icscf, "INVITE", bob, "", "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.phone.Request("INVITE")
			d.phone.Answer(invite, 200, "To: <"+bob+">;tag=b", "Record-Route: <sip:192.0.2.9;lr>",
				"Record-Route: "+sip.Value(invite, "Record-Route"), "Record-Route: <sip:192.0.2.1;lr>")
			d.icscf.Response(200)
			synctest.Wait()
			d.server.calls.Changed(ended(&registration.Binding{ID: phone}, registration.ContactExpired))
			d.released(d.phone, "expired")
			d.released(d.pcscf, "expired")
			synctest.Wait()
			if n := d.server.calls.Len(); n != 0 {
				t.Errorf("%d calls are left", n)
			}
		})
	})
}
