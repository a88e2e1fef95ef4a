package session

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestPreferredService: the preferred service goes no further; a service that the user has is asserted, and criteria match it (TS 24.229
// §5.4.3.2, RFC 6050).
func TestPreferredService(t *testing.T) {
	const mmtel, chat = "urn:urn-7:3gpp-service.ims.icsi.mmtel", "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"

	for _, test := range []struct {
		name       string
		subscribed []string
		headers    []string
		route      string
		asserted   string
	}{
		{name: "no list in the subscription", headers: []string{"P-Preferred-Service: " + mmtel}, route: serviceRoute, asserted: mmtel},
		{
			name:       "subscribed",
			subscribed: []string{chat, "3gpp-service.ims.icsi.mmtel"},
			headers:    []string{"P-Preferred-Service: " + mmtel},
			route:      serviceRoute,
			asserted:   mmtel,
		},
		{
			name:       "part of a subscribed one",
			subscribed: []string{mmtel},
			headers:    []string{"P-Preferred-Service: " + mmtel + ".gaming"},
			route:      serviceRoute,
			asserted:   mmtel + ".gaming",
		},
		{
			name:       "the first that is subscribed",
			subscribed: []string{mmtel},
			headers:    []string{"P-Preferred-Service: " + chat + ", " + mmtel},
			route:      serviceRoute,
			asserted:   mmtel,
		},
		{name: "not subscribed", subscribed: []string{chat}, headers: []string{"P-Preferred-Service: " + mmtel}, route: serviceRoute},
		{name: "none that can be read", headers: []string{"P-Preferred-Service: mmtel"}, route: serviceRoute},
		{name: "nothing preferred", route: serviceRoute},
		{
			name:     "asserted by an application server",
			headers:  []string{"P-Asserted-Service: " + chat, "P-Preferred-Service: " + mmtel},
			route:    asRoute,
			asserted: chat,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				c, content := criterion(ifc.Originating), "icsi.mmtel"
				c.TriggerPoint.SPTs = append(
					c.TriggerPoint.SPTs,
					ifc.SPT{SIPHeader: &ifc.HeaderTrigger{Header: "P-Asserted-Service", Content: &content}, Groups: []int{2}},
				)
				d.user(alice, registration.Registered, c).Public.Profile.Services = test.subscribed

				d.send(d.pcscf, "INVITE", bob, test.route, test.headers...)
				peer := d.icscf
				if strings.HasPrefix(test.asserted, mmtel) {
					peer = d.as
				}
				r := peer.Request("INVITE")
				if got := sip.Value(r, "P-Asserted-Service"); got != test.asserted {
					t.Errorf("asserted %q, want %q", got, test.asserted)
				}
				if sip.Has(r, "P-Preferred-Service") {
					t.Errorf("P-Preferred-Service goes on: %s", sip.Value(r, "P-Preferred-Service"))
				}
			})
		})
	}
}
