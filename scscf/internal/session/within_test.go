package session

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// TestMessagesWithinACall: a message within a call is charged like one outside, by in_dialog, to its sender and at the price of the other
// party; the call goes on whatever its outcome.
func TestMessagesWithinACall(t *testing.T) {
	const text = "Content-Type: text/plain"

	for _, test := range []struct {
		name   string
		within []string
		method string
		lines  []string
		status int
		asked  []string
	}{
		{
			name:   "a message",
			within: []string{"MESSAGE"},
			method: "MESSAGE",
			lines:  []string{text, "\nhello!"},
			status: 200,
			asked:  []string{"1#0", "1#0", "3#1 used 1 cause -1"},
		},
		{
			name:   "one that was refused",
			within: []string{"MESSAGE"},
			method: "MESSAGE",
			lines:  []string{text, "\nhello!"},
			status: 415,
			asked:  []string{"1#0", "1#0", "3#1 used 0 cause 415"},
		},
		{
			name:   "a delivery report",
			within: []string{"MESSAGE"},
			method: "MESSAGE",
			lines:  []string{"Content-Type: message/imdn+xml", "\n<imdn>"},
			status: 200,
			asked:  []string{"1#0"},
		},
		{
			name:   "INFO is not charged",
			within: []string{"MESSAGE"},
			method: "INFO",
			lines:  []string{text, "\nhello!"},
			status: 200,
			asked:  []string{"1#0"},
		},
		{
			name:   "INFO is charged",
			within: []string{"INFO"},
			method: "INFO",
			lines:  []string{text, "\nhello!"},
			status: 200,
			asked:  []string{"1#0", "1#0", "3#1 used 1 cause -1"},
		},
		{name: "INFO without a body is not", within: []string{"INFO"}, method: "INFO", status: 200, asked: []string{"1#0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) {
				d.charge.Events, d.charge.InDialog, d.charge.FreeContent = charging.Reserved, test.within, []string{"message/imdn+xml"}
			}, func(t *testing.T, d *desk) {
				invite := d.talk()
				d.within(invite, test.method, test.lines...)
				d.icscf.Answer(d.icscf.Request(test.method), test.status)
				d.pcscf.Response(test.status)
				d.wantAsked(test.asked...)
				d.within(invite, "BYE")
				d.icscf.Answer(d.icscf.Request("BYE"), 200)
				d.pcscf.Response(200)
			})
		})
	}

	t.Run("without credit", func(t *testing.T) {
		var called string
		withDesk(t, func(d *desk) {
			d.charge.Events, d.charge.InDialog = charging.Reserved, []string{"MESSAGE"}
			d.ocs = func(q *ro.CCR) (*ro.CCA, error) {
				if q.ServiceInformation.IMS.EventType != nil && q.ServiceInformation.IMS.EventType.SIPMethod == "MESSAGE" {
					called = q.ServiceInformation.IMS.CalledPartyAddress
					return noCredit(q)
				}
				seconds := uint32(600)
				a := &ro.CCA{MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &seconds}}}}
				a.Result = ro.Success
				return a, nil
			}
		}, func(t *testing.T, d *desk) {
			invite := d.talk()
			d.within(invite, "MESSAGE", text, "\nhello!")
			d.pcscf.Response(402)
			d.icscf.Silent()
			if called != bob {
				t.Errorf("charged as to %s, want %s", called, bob)
			}
			d.within(invite, "BYE")
			d.icscf.Answer(d.icscf.Request("BYE"), 200)
			d.pcscf.Response(200)
		})
	})
}

// TestReleaseByTheOCS: an ASR is no lack of credit: its BYEs give its own reason.
func TestReleaseByTheOCS(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		session := ""
		d.ocs = func(q *ro.CCR) (*ro.CCA, error) {
			session = q.SessionID
			seconds := uint32(600)
			a := &ro.CCA{MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &seconds}}}}
			a.Result = ro.Success
			return a, nil
		}
		d.talk()

		q := &ro.ASR{}
		q.SessionID = session
		if _, err := d.trigger.Abort(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		bye := d.icscf.Request("BYE")
		if reason := sip.Value(bye, "Reason"); !strings.HasPrefix(reason, "SIP;cause=480;") {
			t.Errorf("Reason: %s", reason)
		}
		d.icscf.Answer(bye, 200)
	})
}

// TestRequestURIWithoutEnd: a Request-URI too long for a CCR is refused here.
func TestRequestURIWithoutEnd(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", "sip:"+strings.Repeat("1", 5000)+"@"+home, serviceRoute)
		d.pcscf.Response(414)
		d.icscf.Silent()
		d.wantAsked()
	})
}

// TestNoSessionWithoutACall: a request that begins or changes a session goes on only in the dialog of a call: nobody would pay for an
// INVITE inside a subscription, or in a call that is over. All other requests pass.
func TestNoSessionWithoutACall(t *testing.T) {
	const free = "<sip:" + scscfAddress + ";lr>" // Record-Route of a SUBSCRIBE

	for _, test := range []struct {
		method, name, route string
		call                bool // its Route names a call, which is another dialog's
		refused             bool
	}{
		{method: "INVITE", name: "in a subscription", route: free, refused: true},
		{method: "UPDATE", name: "in a subscription", route: free, refused: true},
		{method: "INVITE", name: "of a call that is over", route: "<sip:call-GONE@" + scscfAddress + ";lr>", refused: true},
		{method: "INVITE", name: "with another call's Route", call: true, refused: true},
		{method: "UPDATE", name: "with another call's Route", call: true, refused: true},
		{method: "INVITE", name: "without a Route of this S-CSCF's", refused: true},
		{method: "SUBSCRIBE", name: "in a subscription", route: free},
		{method: "NOTIFY", name: "in a subscription", route: free},
		{method: "REFER", name: "in a subscription", route: free},
		{method: "MESSAGE", name: "in a subscription", route: free},
		{method: "INFO", name: "of a call that is over", route: "<sip:call-GONE@" + scscfAddress + ";lr>"},
		{method: "BYE", name: "of a call that is over", route: "<sip:call-GONE@" + scscfAddress + ";lr>"},
	} {
		t.Run(test.method+" "+test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				if test.call {
					d.talk()
					test.route = d.route
				}
				d.send(d.pcscf, test.method, "sip:callee@192.0.2.2:5060", test.route, "To: <"+bob+">;tag=s", "Call-ID: subscription")
				if test.refused {
					d.pcscf.Response(481)
					d.icscf.Silent()
					return
				}
				d.icscf.Answer(d.icscf.Request(test.method), 200)
				d.pcscf.Response(200)
			})
		})
	}

	// Otherwise the first INVITE is cancelled, and the session of the second goes on.
	t.Run("INVITE while the call rings", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.icscf.Request("INVITE")
			d.icscf.Answer(invite, 180, "To: <"+bob+">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>")
			d.route = sip.Value(d.pcscf.Response(180), "Record-Route")
			d.within(invite, "INVITE")
			d.pcscf.Response(491)
			d.icscf.Silent()
		})
	})

	t.Run("re-INVITE of a call over a restart", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			invite := d.talk()
			d.crash(time.Second)
			d.within(invite, "INVITE")
			d.icscf.Answer(d.icscf.Request("INVITE"), 200, "Contact: <sip:callee@192.0.2.2:5060>")
			d.pcscf.Response(200)
			d.within(invite, "BYE")
			d.icscf.Answer(d.icscf.Request("BYE"), 200)
		})
	})
}

// TestMessagesWithoutACallArePaid: no dialog is a way to send messages for nothing: the identity that the P-CSCF asserts pays in one that
// a subscription made, or that never was. A request over the Service-Route is in no dialog.
func TestMessagesWithoutACallArePaid(t *testing.T) {
	const subscription = "<sip:" + scscfAddress + ";lr>"

	for _, test := range []struct {
		name, route, asserted string
		status                int
		asked                 []string
	}{
		{name: "in a subscription", route: subscription, asserted: alice, status: 200, asked: []string{"4#0"}},
		{name: "of a call that is over", route: "<sip:call-GONE@" + scscfAddress + ";lr>", asserted: alice, status: 200, asked: []string{"4#0"}},
		{name: "of another S-CSCF's user", route: subscription, asserted: "sip:other@" + home, status: 200},
		{name: "of nobody", route: subscription, status: 403},
		{name: "by the Service-Route", route: serviceRoute, asserted: alice, status: 481},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) { d.charge.InDialog = []string{"MESSAGE"} }, func(t *testing.T, d *desk) {
				asserted := "P-Asserted-Identity: <" + test.asserted + ">"
				if test.asserted == "" {
					asserted = "P-Asserted-Identity:"
				}
				d.send(d.pcscf, "MESSAGE", "sip:callee@192.0.2.2:5060", test.route, "To: <"+bob+">;tag=s", "Call-ID: subscription", asserted,
					"Content-Type: text/plain", "\nhello!")
				if test.status == 200 {
					d.icscf.Answer(d.icscf.Request("MESSAGE"), 200)
				}
				d.pcscf.Response(test.status)
				d.icscf.Silent()
				d.wantAsked(test.asked...)
			})
		})
	}
}
