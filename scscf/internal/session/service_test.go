package session

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TS 24.229 §5.4.3.2, RFC 6050: the preferred service goes no further; what the user has is asserted, and criteria match it.
func TestPreferredService(t *testing.T) {
	const mmtel, chat = "urn:urn-7:3gpp-service.ims.icsi.mmtel", "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"

	for _, test := range []struct {
		name       string
		subscribed []string
		headers    []string
		route      string
		asserted   string
	}{
		{"no list in the subscription", nil, []string{"P-Preferred-Service: " + mmtel}, serviceRoute, mmtel},
		{"subscribed", []string{chat, "3gpp-service.ims.icsi.mmtel"}, []string{"P-Preferred-Service: " + mmtel}, serviceRoute, mmtel},
		{"part of a subscribed one", []string{mmtel}, []string{"P-Preferred-Service: " + mmtel + ".gaming"}, serviceRoute, mmtel + ".gaming"},
		{"the first that is subscribed", []string{mmtel}, []string{"P-Preferred-Service: " + chat + ", " + mmtel}, serviceRoute, mmtel},
		{"not subscribed", []string{chat}, []string{"P-Preferred-Service: " + mmtel}, serviceRoute, ""},
		{"none that can be read", nil, []string{"P-Preferred-Service: mmtel"}, serviceRoute, ""},
		{"nothing preferred", nil, nil, serviceRoute, ""},
		{"asserted by an application server", nil, []string{"P-Asserted-Service: " + chat, "P-Preferred-Service: " + mmtel}, asRoute, chat},
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
