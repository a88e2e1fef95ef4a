package handset

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const head380 = `<?xml version="1.0"?><ims-3gpp version="1"><alternative-service>`

// What a 380 tells, as text and as empty elements; anything else tells nothing.
func TestAlternative(t *testing.T) {
	const deployed, empty = "application/3gpp-ims+xml", `Application/3GPP-IMS+xml;schemaversion="1"`

	register := Alternative{Type: "emergency", Action: RegisterForEmergency}

	for name, test := range map[string]struct {
		status     int
		kind, body string
		want       Alternative
		ok         bool
	}{
		"as deployed": {
			status: 380, kind: deployed, want: register, ok: true,
			body: head380 + "<type>emergency</type><reason/><action>emergency-registration</action></alternative-service></ims-3gpp>",
		},
		"as empty elements": {
			status: 380, kind: empty, want: register, ok: true,
			body: head380 + "<type><emergency/></type><reason/><action><emergency-registration/></action></alternative-service></ims-3gpp>",
		},
		"another domain": {
			status: 380, kind: deployed, want: Alternative{Type: "emergency", Reason: "r"}, ok: true,
			body: head380 + "<type>emergency</type><reason>r</reason></alternative-service></ims-3gpp>",
		},
		"no XML":             {status: 380, kind: deployed, body: "emergency"},
		"of another kind":    {status: 380, kind: "text/plain", body: "<ims-3gpp/>"},
		"another status":     {status: 503, kind: deployed, body: "<ims-3gpp/>"},
		"another document":   {status: 380, kind: deployed, body: "<html></html>"},
		"without any body":   {status: 380, kind: deployed},
		"with nothing in it": {status: 380, kind: deployed, body: "<ims-3gpp/>", ok: true},
	} {
		r, err := sip.NewRequest("INVITE", "tel:112")
		if err != nil {
			t.Fatal(err)
		}

		response := sip.NewResponse(r, test.status, "")
		sip.Add(response, "Content-Type", test.kind)
		response.SetBody([]byte(test.body))

		if got, ok := (&Refused{response}).Alternative(); got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
	}
}

func FuzzAlternative(f *testing.F) {
	f.Add([]byte(head380 + "<type>emergency</type><action>emergency-registration</action></alternative-service></ims-3gpp>"))

	f.Fuzz(func(_ *testing.T, body []byte) {
		r, _ := sip.NewRequest("INVITE", "tel:112")
		response := sip.NewResponse(r, 380, "")
		sip.Add(response, "Content-Type", "application/3gpp-ims+xml")
		response.SetBody(body)

		(&Refused{response}).Alternative()
	})
}
