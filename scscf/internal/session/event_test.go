package session

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// TS 32.299: a message is debited before it goes on (IEC), or reserved, and debited when it was delivered (ECUR).
func TestEvents(t *testing.T) {
	tests := []struct {
		name    string
		events  string
		methods []string
		method  string
		status  int
		asked   []string
	}{
		{"IEC", charging.Immediate, []string{"MESSAGE"}, "MESSAGE", 200, []string{"4#0"}},
		{"IEC, not delivered: refunded", charging.Immediate, []string{"MESSAGE"}, "MESSAGE", 404, []string{"4#0", "4#1 cause 404"}},
		{"ECUR", charging.Reserved, []string{"MESSAGE"}, "MESSAGE", 200, []string{"1#0", "3#1 used 1 cause -1"}},
		{"ECUR, accepted for later", charging.Reserved, []string{"MESSAGE"}, "MESSAGE", 202, []string{"1#0", "3#1 used 1 cause -202"}},
		{"ECUR, not delivered: given back", charging.Reserved, []string{"MESSAGE"}, "MESSAGE", 480, []string{"1#0", "3#1 used 0 cause 480"}},
		{"ECUR, a subscription", charging.Reserved, []string{"MESSAGE", "SUBSCRIBE"}, "SUBSCRIBE", 200, []string{"1#0", "3#1 used 1 cause -1"}},
		{"not a method that is charged", charging.Reserved, []string{"MESSAGE"}, "SUBSCRIBE", 200, nil},
		{"off", charging.NoEvents, []string{"MESSAGE"}, "MESSAGE", 200, nil},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) { d.charge.Events, d.charge.EventMethods = test.events, test.methods }, func(t *testing.T, d *desk) {
				d.send(d.pcscf, test.method, bob, serviceRoute, "Event: presence")
				d.icscf.Answer(d.icscf.Request(test.method), test.status)
				d.pcscf.Response(test.status)
				d.wantAsked(test.asked...)
			})
		})
	}
}

// Without credit nothing is sent, and nothing is left reserved.
func TestEventWithoutCredit(t *testing.T) {
	for _, events := range []string{charging.Immediate, charging.Reserved} {
		withDesk(t, func(d *desk) {
			d.charge.Events = events
			d.ocs = func(q *ro.CCR) (*ro.CCA, error) { return noCredit(q) }
		}, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "MESSAGE", bob, serviceRoute)
			d.pcscf.Response(402)
			d.icscf.Silent()
			if len(d.asked) != 1 {
				t.Errorf("%s: the OCS was asked %v", events, d.asked)
			}
		})
	}
}
