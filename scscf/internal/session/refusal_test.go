package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

func noCredit(*ro.CCR) (*ro.CCA, error) {
	a := &ro.CCA{}
	a.Result = ro.CreditLimitReached

	return a, nil
}

// TestEveryRefusalSaysWhy: every refusal of the S-CSCF's own gives its reason in a Reason header field (RFC 3326) and in one log line
// with the same words.
func TestEveryRefusalSaysWhy(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		says       string
		prepare    func(d *desk)
		method     string
		uri, route string
		headers    []string
	}{
		{name: "Max-Forwards", status: 483, says: "Max-Forwards", headers: []string{"Max-Forwards: 0"}},
		{name: "Proxy-Require", status: 420, says: "Proxy-Require", headers: []string{"Proxy-Require: magic"}},
		{name: "nobody calls", status: 403, says: "does not say who", headers: []string{"P-Asserted-Identity: nobody"}},
		{
			name:    "not registered",
			status:  403,
			says:    "sip:carol@ims.example is not registered",
			headers: []string{"P-Asserted-Identity: <sip:carol@" + home + ">"},
		},
		{name: "caller barred", status: 403, says: "barred", prepare: func(d *desk) { d.users[alice].Public.Barred = true }},
		{
			name:    "called barred",
			status:  404,
			says:    "barred",
			uri:     alice,
			route:   "none",
			prepare: func(d *desk) { d.users[alice].Public.Barred = true },
		},
		{name: "called nobody", status: 404, says: "cannot be read", uri: "urn:service:x", route: "none"},
		{name: "no HSS", status: 504, says: "no HSS", uri: "sip:dave@" + home, route: "none"},
		{
			name:    "no contact",
			status:  480,
			says:    "not registered",
			uri:     alice,
			route:   "none",
			prepare: func(d *desk) { d.user(alice, registration.Unregistered) },
		},
		{name: "no credit", status: 402, says: "not enough credit", prepare: func(d *desk) { d.ocs = noCredit }},
		{
			name:    "no credit for a message",
			status:  402,
			says:    "not enough credit",
			method:  "MESSAGE",
			prepare: func(d *desk) { d.ocs = noCredit },
		},
		{name: "OCS silent", status: 503, says: "OCS does not answer", prepare: func(d *desk) {
			d.ocs = func(*ro.CCR) (*ro.CCA, error) { return nil, fmt.Errorf("dead") }
		}},
		{name: "session interval", status: 422, says: "session interval", headers: []string{"Supported: timer", "Session-Expires: 30"}},
		{
			name:    "no such dialog",
			status:  481,
			says:    "no such dialog",
			method:  "BYE",
			uri:     "sip:" + scscfAddress,
			route:   "none",
			headers: []string{"To: <" + bob + ">;tag=x"},
		},
		{
			name:    "name that nobody resolves",
			status:  500,
			says:    "nowhere.invalid",
			uri:     "sip:x@nowhere.invalid;transport=udp",
			prepare: func(*desk) {},
		},
		{name: "next hop silent", status: 408, says: "no answer from 192.0.2.77", uri: "sip:x@192.0.2.77"},
		{name: "AS dead, and may not be left out", status: 408, says: "no answer from 192.0.2.40", prepare: func(d *desk) {
			c := criterion(ifc.Originating)
			c.ApplicationServer.DefaultHandling = 1
			d.user(alice, registration.Registered, c)
		}},
		{name: "AS dead, and no credit", status: 402, says: "not enough credit", prepare: func(d *desk) {
			d.user(alice, registration.Registered, criterion(ifc.Originating))
			d.ocs = noCredit
		}},
		{name: "AS that cannot be addressed", status: 500, says: "cannot be addressed", prepare: func(d *desk) {
			c := criterion(ifc.Originating)
			c.ApplicationServer.ServerName, c.ApplicationServer.DefaultHandling = "sip:", 1
			d.user(alice, registration.Registered, c)
		}},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) {
				if strings.Contains(test.uri, ".invalid") {
					d.nowhere = true
				}
			}, func(t *testing.T, d *desk) {
				if test.prepare != nil {
					test.prepare(d)
				}
				if test.method == "" {
					test.method = "INVITE"
				}
				if test.uri == "" {
					test.uri = bob
				}
				switch test.route {
				case "":
					test.route = serviceRoute
				case "none":
					test.route = ""
				}
				d.send(d.pcscf, test.method, test.uri, test.route, test.headers...)
				time.Sleep(40 * time.Second)
				r := d.pcscf.Response(test.status)

				reason := sip.Value(r, "Reason")
				if !strings.Contains(reason, test.says) || !strings.Contains(reason, "cause=") {
					t.Errorf("Reason %q does not say %q", reason, test.says)
				}
				found := 0
				for line := range strings.Lines(d.log.String()) {
					if strings.Contains(line, `msg="request refused"`) && strings.Contains(line, fmt.Sprintf("status=%d", test.status)) &&
						strings.Contains(line, test.says) {
						found++
					}
				}
				if found != 1 {
					t.Errorf("%d lines in the log say %q", found, test.says)
				}
			})
		})
	}
}

func TestSilentNextHopWithinADialog(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		invite := d.talk()
		d.send(
			d.pcscf,
			"INVITE",
			"sip:x@192.0.2.77",
			d.route,
			"To: <"+bob+">;tag=b",
			"Call-ID: "+invite.CallID().Value(),
		)
		time.Sleep(40 * time.Second)
		r := d.pcscf.Response(408)
		if reason := sip.Value(r, "Reason"); !strings.Contains(reason, "no answer from 192.0.2.77") || !strings.Contains(reason, "cause=") {
			t.Errorf("Reason %q", reason)
		}
		if n := strings.Count(d.log.String(), "request refused"); n != 1 {
			t.Errorf("%d lines in the log", n)
		}
	})
}
