package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/numbering"
)

func plan() numbering.Plan {
	return numbering.Plan{
		Prefixes: map[string]string{"00": "+", "0": "+49", "011": "+"},
		Contexts: map[string]string{"+1-555": "+1555", "ims.example": "+1555", "": "+1999"},
		Breakout: map[string]string{"": "sip:192.0.2.50:5060", "+49": "sip:192.0.2.50:5060;lr"},
	}
}

type book map[string]string

func (b book) Translate(ctx context.Context, number string) (string, error) {
	if uri, found := b[number]; found {
		if uri == "slow" {
			<-ctx.Done()
			return "", ctx.Err()
		}
		if uri == "broken" {
			return "", errors.New("SERVFAIL")
		}
		return uri, nil
	}

	return "", nil
}

// TestRoutingOfNumbers: the routes of numbers (TS 24.229 §5.4.3.2).
func TestRoutingOfNumbers(t *testing.T) {
	numbers := book{
		"+15550002": bob,
		"+15550003": "sip:carol@elsewhere.example",
		"+15550004": "slow",
		"+15550005": "broken",
		"+15550006": "mailto:x@y",
		"+15550007": "tel:+15550008",
	}

	tests := []struct {
		name    string
		dialled string
		icscf   string // Request-URI there; "": it does not come there
		unknown bool   // the I-CSCF knows no such user
		gateway string // Request-URI there
		route   string // with this Route
		status  int    // to the caller
	}{
		{name: "ENUM knows a user of the home network", dialled: "tel:+1-555-0002", icscf: bob, status: 200},
		{name: "dialled locally", dialled: "sip:0015550002@ims.example;user=phone", icscf: bob, status: 200},
		{name: "ENUM knows another network", dialled: "tel:+15550003", gateway: "sip:carol@elsewhere.example", status: 200},
		{name: "ENUM does not answer", dialled: "tel:+15550004", icscf: "tel:+15550004", status: 200},
		{name: "ENUM fails", dialled: "tel:+15550005", icscf: "tel:+15550005", status: 200},
		{name: "ENUM says what cannot be called", dialled: "tel:+15550006", icscf: "tel:+15550006", status: 200},
		{name: "ENUM knows another number", dialled: "tel:+15550007", icscf: "tel:+15550008", status: 200},
		{
			name:    "nobody's: to a gateway",
			dialled: "tel:0044123",
			icscf:   "tel:+44123",
			unknown: true,
			gateway: "sip:+44123@192.0.2.50:5060;user=phone",
			status:  200,
		},
		{
			name:    "nobody's: to a BGCF",
			dialled: "tel:+4930",
			icscf:   "tel:+4930",
			unknown: true,
			gateway: "tel:+4930",
			route:   "<sip:192.0.2.50:5060;lr>",
			status:  200,
		},
		{name: "a name is not broken out", dialled: "sip:x@ims.example", icscf: "sip:x@ims.example", unknown: true, status: 404},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) { d.plan, d.enum = plan(), numbers }, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", test.dialled, serviceRoute)
				answer := func(p interface {
					Answer(*sip.Request, int, ...string)
				}, r *sip.Request,
				) {
					p.Answer(r, 200, "To: <"+bob+">;tag=b", "Contact: <sip:x@192.0.2.2>", "Record-Route: "+sip.Value(r, "Record-Route"))
				}

				if test.icscf != "" {
					r := d.icscf.Request("INVITE")
					if r.Recipient.String() != test.icscf {
						t.Errorf("the I-CSCF got %s, want %s", r.Recipient.String(), test.icscf)
					}
					if test.unknown {
						d.icscf.Answer(r, 404, `Reason: Diameter;cause=5001;text="unknown"`)
						d.icscf.Request("ACK")
					} else {
						answer(d.icscf, r)
					}
				}
				if test.gateway != "" {
					r := d.gateway.Request("INVITE")
					if r.Recipient.String() != test.gateway || sip.Value(r, "Route") != test.route {
						t.Errorf("the gateway got %s by %q, want %s by %q", r.Recipient.String(), sip.Value(r, "Route"), test.gateway, test.route)
					}
					if len(sip.Values(r, "Record-Route")) != 1 {
						t.Errorf("Record-Route %v", sip.Values(r, "Record-Route"))
					}
					answer(d.gateway, r)
				}
				if r := d.pcscf.Response(test.status); test.status == 404 && sip.Value(r, "Reason") == "" {
					t.Error("the 404 does not say why")
				}
				d.icscf.Silent()
				d.gateway.Silent()
				if test.status == 200 {
					d.wantAsked("1#0") // once, whatever its route
				}
			})
		})
	}
}

// TestNoBreakout: a 404 of the callee's own is not one of the I-CSCF's, and nothing breaks out without a route.
func TestNoBreakout(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		routes map[string]string
	}{
		"the callee says 404": {"SIP;cause=404", plan().Breakout},
		"no route":            {"Diameter;cause=5001", map[string]string{"+49": "sip:192.0.2.50:5060"}},
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, func(d *desk) { d.plan.Breakout = test.routes }, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", "tel:+15550002", serviceRoute)
				d.icscf.Answer(d.icscf.Request("INVITE"), 404, "Reason: "+test.reason)
				if r := d.pcscf.Response(404); sip.Value(r, "Reason") != test.reason {
					t.Errorf("Reason %q", sip.Value(r, "Reason"))
				}
				time.Sleep(time.Second)
				d.gateway.Silent()
				d.wantAsked("1#0", "3#1 used 0s cause 404")
			})
		})
	}
}
