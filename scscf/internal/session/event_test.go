package session

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// TestEvents: a message is debited before it goes on (IEC), or reserved, and debited when it was delivered (ECUR) (TS 32.299).
func TestEvents(t *testing.T) {
	tests := []struct {
		name    string
		events  string
		methods []string
		method  string
		status  int
		asked   []string
	}{
		{name: "IEC", events: charging.Immediate, methods: []string{"MESSAGE"}, method: "MESSAGE", status: 200, asked: []string{"4#0"}},
		{
			name:    "IEC, not delivered: refunded",
			events:  charging.Immediate,
			methods: []string{"MESSAGE"},
			method:  "MESSAGE",
			status:  404,
			asked:   []string{"4#0", "4#1 cause 404"},
		},
		{
			name:    "ECUR",
			events:  charging.Reserved,
			methods: []string{"MESSAGE"},
			method:  "MESSAGE",
			status:  200,
			asked:   []string{"1#0", "3#1 used 1 cause -1"},
		},
		{
			name:    "ECUR, accepted for later",
			events:  charging.Reserved,
			methods: []string{"MESSAGE"},
			method:  "MESSAGE",
			status:  202,
			asked:   []string{"1#0", "3#1 used 1 cause -202"},
		},
		{
			name:    "ECUR, not delivered: given back",
			events:  charging.Reserved,
			methods: []string{"MESSAGE"},
			method:  "MESSAGE",
			status:  480,
			asked:   []string{"1#0", "3#1 used 0 cause 480"},
		},
		{
			name:    "ECUR, a subscription",
			events:  charging.Reserved,
			methods: []string{"MESSAGE", "SUBSCRIBE"},
			method:  "SUBSCRIBE",
			status:  200,
			asked:   []string{"1#0", "3#1 used 1 cause -1"},
		},
		{name: "not a method that is charged", events: charging.Reserved, methods: []string{"MESSAGE"}, method: "SUBSCRIBE", status: 200},
		{name: "off", events: charging.NoEvents, methods: []string{"MESSAGE"}, method: "MESSAGE", status: 200},
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

// TestEventWithoutCredit: without credit nothing is sent, and nothing is left reserved.
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

// TestAccessThatIsCharged: what the access network says of a handset's place, not what the handset claims (TS 24.229 §7.2A.4).
func TestAccessThatIsCharged(t *testing.T) {
	const claimed, provided = "IEEE-802.11;i-wlan-node-id=000000000001", "3GPP-E-UTRAN;network-provided"

	for field, want := range map[string]string{
		claimed: claimed, claimed + "\r\nP-Access-Network-Info: " + provided: provided, claimed + ", " + provided: provided,
	} {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			var charged [][]byte
			d.ocs = func(q *ro.CCR) (*ro.CCA, error) {
				charged = q.ServiceInformation.IMS.AccessNetworkInformation
				return noCredit(q)
			}

			d.send(d.pcscf, "INVITE", bob, serviceRoute, "P-Access-Network-Info: "+field)
			d.pcscf.Response(402)

			if len(charged) != 1 || string(charged[0]) != want {
				t.Errorf("charged as %q, want %q", charged, want)
			}
		})
	}
}
