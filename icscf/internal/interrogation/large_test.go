package interrogation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// TestIdentityWithoutEnd: an identity too long for a query is refused before the HSS is asked: such a UAR or LIR would end the connection
// of all.
func TestIdentityWithoutEnd(t *testing.T) {
	long := "sip:" + strings.Repeat("a", 5000) + "@ims.example"

	for _, test := range []struct {
		name   string
		method string
		uri    string
		lines  []string
		status int
	}{
		{name: "a Request-URI", method: "MESSAGE", uri: long, status: 414},
		{
			name:   "a served user: no identity",
			method: "MESSAGE",
			uri:    alice,
			lines:  []string{"Route: <sip:icscf.ims.example;lr;orig>", "P-Served-User: <" + long + ">"},
			status: 404,
		},
		{name: "To of a REGISTER: no identity", method: "REGISTER", uri: "sip:ims.example", lines: []string{"To: <" + long + ">"}, status: 400},
		{
			name:   "a private identity",
			method: "REGISTER",
			uri:    "sip:ims.example",
			lines: []string{
				"To: <" + alice + ">",
				`Authorization: Digest username="` + strings.Repeat("a", 5000) + `",realm="r",nonce="",uri="sip:x",response=""`,
			},
			status: 513,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.send(test.method, test.uri, test.lines...)
				d.pcscf.Response(test.status)
				d.wantAsked()
			})
		})
	}

	t.Run("a request that the Diameter node will not send", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.uaa = []any{fmt.Errorf("UAR: %w", diameter.ErrTooLarge)}
			d.register()
			d.pcscf.Response(513)
		})
	})
}
