package gm

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Excessive fields of a handset are not forwarded.
func TestFieldsWithoutEnd(t *testing.T) {
	large := strings.Repeat("x", 55_000)

	for _, test := range []struct {
		name, method, uri string
		line              string
		status            int
	}{
		{name: "a Contact", method: "REGISTER", uri: "sip:ims.example", line: "Contact: <sip:alice@" + aliceAt + ">;x=" + large, status: 513},
		{name: "a Contact URI", method: "REGISTER", uri: "sip:ims.example", line: "Contact: <sip:" + large + "@" + aliceAt + ">", status: 513},
		{name: "any header field", method: "MESSAGE", uri: bob, line: "X-Large: " + large, status: 513},
		{name: "Via", method: "MESSAGE", uri: bob, line: "Via: SIP/2.0/UDP " + aliceAt + ";branch=z9hG4bK1;x=" + large, status: 513},
		{name: "a Request-URI", method: "MESSAGE", uri: "sip:" + large[:5000] + "@ims.example", status: 414},
		{name: "what a handset may send", method: "MESSAGE", uri: bob, line: "X-Large: " + large[:8192]},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()

				var lines []string
				if test.line != "" {
					lines = []string{test.line}
				}
				d.send(test.method, test.uri, lines...)

				if test.status == 0 {
					d.scscf.Request("MESSAGE")
					return
				}
				r := d.alice.Response(test.status)
				if !strings.HasPrefix(sip.Value(r, "Reason"), "SIP;cause=") {
					t.Errorf("Reason: %s", sip.Value(r, "Reason"))
				}
				d.icscf.Silent()
				d.scscf.Silent()
			})
		})
	}
}
