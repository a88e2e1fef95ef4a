package session

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

func german(t *testing.T, d *desk) {
	t.Helper()

	plan, err := emergency.NewPlan(home, "262", nil)
	if err != nil {
		t.Fatal(err)
	}

	d.config.Emergency = plan
	d.plan.Breakout = map[string]string{"": "sip:192.0.2.50:5060"}
	d.plan.Prefixes = map[string]string{"": "+49"} // with which a local number would be somebody's
	d.plan.Contexts = map[string]string{"": "+49"}
}

// TestEmergencyCallsDoNotLeave: however an emergency call comes to the S-CSCF, and whatever routes there are, it does not leave, and
// costs nothing.
func TestEmergencyCallsDoNotLeave(t *testing.T) {
	for _, uri := range []string{
		"urn:service:sos", "urn:service:sos.fire", "tel:112", "tel:110;phone-context=" + home, "sip:110@" + home + ";user=phone",
	} {
		for name, route := range map[string]string{"of a handset": serviceRoute, "on behalf of a user": asRoute} {
			t.Run(uri+" "+name, func(t *testing.T) {
				withDesk(t, func(d *desk) { german(t, d) }, func(t *testing.T, d *desk) {
					d.send(d.pcscf, "INVITE", uri, route)
					if r := d.pcscf.Response(403); !strings.Contains(sip.Value(r, "Reason"), "emergency.psaps") {
						t.Errorf("the refusal does not say why:\n%s", r)
					}
					d.icscf.Silent()
					d.gateway.Silent()
					d.wantAsked()
				})
			})
		}
	}

	t.Run("an application server turns a call into one", func(t *testing.T) {
		withDesk(t, func(d *desk) {
			german(t, d)
			d.user(alice, registration.Registered, criterion(ifc.Originating))
		}, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", "tel:+15550002", serviceRoute)
			r := d.as.Request("INVITE")
			routes, _ := sip.Routes(r)
			d.send(d.as, "INVITE", "tel:112", "<"+routes[1].URI+">", "Call-ID: "+r.CallID().Value())
			d.as.Response(403)
			d.icscf.Silent()
			d.gateway.Silent()
			d.wantAsked()
		})
	})

	t.Run("another country's number is a number", func(t *testing.T) {
		withDesk(t, func(d *desk) { german(t, d) }, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", "tel:999", serviceRoute)
			d.icscf.Request("INVITE")
		})
	})
}

// TestPSAPCallback: an emergency centre that calls back also reaches the handset's emergency registration; nobody else does (RFC 7090, TS
// 24.229 §5.4.8).
func TestPSAPCallback(t *testing.T) {
	for _, test := range []struct {
		name   string
		lines  []string
		method string
		status int
	}{
		{name: "the centre", method: "INVITE", lines: []string{"Priority: psap-callback"}},
		{name: "somebody", method: "INVITE", status: 480},
		{name: "another priority", method: "INVITE", lines: []string{"Priority: emergency"}, status: 480},
		{name: "no call", method: "MESSAGE", lines: []string{"Priority: psap-callback"}, status: 480},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				u := d.user(bob, registration.Registered)
				u.Bindings = []*registration.Binding{{
					ID: phone, Contact: "sip:phone@192.0.2.9:5060;sos", Path: []string{"<sip:token@192.0.2.9:5060;lr>"},
					Expires: time.Now().Add(time.Hour),
				}}

				d.send(d.icscf, test.method, bob, "<sip:"+scscfAddress+";lr>", test.lines...)
				if test.status == 0 {
					d.phone.Request(test.method)
					return
				}
				d.icscf.Response(test.status)
				d.phone.Silent()
			})
		})
	}
}
