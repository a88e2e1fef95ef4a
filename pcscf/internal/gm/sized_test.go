package gm

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// What a handset sends without end goes no further.
func TestFieldsWithoutEnd(t *testing.T) {
	large := strings.Repeat("x", 55_000)

	for _, test := range []struct {
		name, method, uri string
		line              string
		status            int
	}{
		{"a Contact", "REGISTER", "sip:ims.example", "Contact: <sip:alice@" + aliceAt + ">;x=" + large, 513},
		{"a Contact URI", "REGISTER", "sip:ims.example", "Contact: <sip:" + large + "@" + aliceAt + ">", 513},
		{"any header field", "MESSAGE", bob, "X-Large: " + large, 513},
		{"Via", "MESSAGE", bob, "Via: SIP/2.0/UDP " + aliceAt + ";branch=z9hG4bK1;x=" + large, 513},
		{"a Request-URI", "MESSAGE", "sip:" + large[:5000] + "@ims.example", "", 414},
		{"what a handset may send", "MESSAGE", bob, "X-Large: " + large[:8192], 0},
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
