package interrogation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// What the HSS could not be asked about is refused before it is asked: a UAR or LIR that is too long would end the connection of all.
func TestIdentityWithoutEnd(t *testing.T) {
	long := "sip:" + strings.Repeat("a", 5000) + "@ims.example"

	for _, test := range []struct {
		name   string
		method string
		uri    string
		lines  []string
		status int
	}{
		{"a Request-URI", "MESSAGE", long, nil, 414},
		{"a served user: no identity", "MESSAGE", alice, []string{"Route: <sip:icscf.ims.example;lr;orig>", "P-Served-User: <" + long + ">"}, 404},
		{"To of a REGISTER: no identity", "REGISTER", "sip:ims.example", []string{"To: <" + long + ">"}, 400},
		{"a private identity", "REGISTER", "sip:ims.example", []string{"To: <" + alice + ">", `Authorization: Digest username="` + strings.Repeat("a", 5000) + `",realm="r",nonce="",uri="sip:x",response=""`}, 513},
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
