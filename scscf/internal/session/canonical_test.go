package session

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestOneNumber: a number has one price and one route, however it is written (RFC 3261 §19.1.4, RFC 3966). Criteria see it in one form,
// too.
func TestOneNumber(t *testing.T) {
	for written, want := range map[string]struct{ routed, priced string }{
		"sip:+15550001@" + home:       {"sip:+15550001@" + home, "sip:+15550001@" + home},
		"sip:+1555000%31@" + home:     {"sip:+15550001@" + home, "sip:+15550001@" + home},
		"sip:+15550001:pw@" + home:    {"sip:+15550001@" + home, "sip:+15550001@" + home},
		"sip:%2B1555000%31:p@" + home: {"sip:+15550001@" + home, "sip:+15550001@" + home},
		"sip:%61lice:pw@" + home:      {"sip:alice@" + home, "sip:alice@" + home},
		"tel:+1555000%31":             {"tel:+1555000%31", "tel:+15550001"},
		// another network's own
		"sip:+1555000%31:pw@elsewhere.example":   {"sip:+1555000%31:pw@elsewhere.example", "sip:+15550001@elsewhere.example"},
		"sip:+1555000%31:pw@gateway.example;x=y": {"sip:+1555000%31:pw@gateway.example;x=y", "sip:+15550001@gateway.example"},
	} {
		t.Run(written, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				var priced string
				d.ocs = func(q *ro.CCR) (*ro.CCA, error) {
					priced = q.ServiceInformation.IMS.CalledPartyAddress
					return noCredit(q)
				}
				d.send(d.pcscf, "INVITE", written, serviceRoute)
				d.pcscf.Response(402)
				if priced != want.priced {
					t.Errorf("priced as %q, want %q", priced, want.priced)
				}

				d.ocs = nil
				d.send(d.pcscf, "MESSAGE", written, serviceRoute)
				peer := d.icscf
				if strings.Contains(written, ".example;") || strings.Contains(written, "elsewhere") {
					peer = d.gateway
				}
				if got := peer.Request("MESSAGE").Recipient.String(); got != want.routed {
					t.Errorf("routed as %s, want %s", got, want.routed)
				}
			})
		})
	}

	t.Run("criteria", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			premium := "^sip:[+]1900"
			c := criterion(ifc.Originating)
			c.TriggerPoint.SPTs = append(c.TriggerPoint.SPTs, ifc.SPT{RequestURI: &premium, Groups: []int{2}})
			d.user(alice, registration.Registered, c)
			d.send(d.pcscf, "INVITE", "sip:+1%39005:x@"+home, serviceRoute)
			d.as.Request("INVITE")
		})
	})
}
