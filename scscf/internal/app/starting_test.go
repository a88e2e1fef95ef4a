package app

import (
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestRequestsBeforeTheHSSIsConnected: a restarted S-CSCF does not know whom it serves before the HSS is connected: a request of any
// handset, registered or not, is answered 503 with Retry-After, and not that the user is unknown. Requests are served as soon as the HSS
// is there.
func TestRequestsBeforeTheHSSIsConnected(t *testing.T) {
	h := startHSS(t)
	directory := t.TempDir()
	keep := func(c *Config) { c.Data, c.Diameter.ReconnectMax = directory, 50*time.Millisecond }

	c := startWith(t, h, keep)
	phone := newHandset(t, c)
	wantStatus(t, phone.registerFully("Contact: "+phone.contact()), 200)
	address := h.node.Addresses()[0].String()
	c.stop()
	h.stop()

	c = startAlone(t, h, keep)
	phone.core = c
	own := "Route: <sip:orig@" + c.address.String() + ";lr>"
	other := "sip:bob@127.0.0.1:1" // in another network, where nobody is

	for _, request := range []struct {
		method, uri string
		headers     []string
	}{
		{"INVITE", other, []string{own, "P-Asserted-Identity: <" + public + ">", "Contact: " + phone.contact()}},
		{"MESSAGE", other, []string{own, "P-Asserted-Identity: <sip:nobody@" + home + ">"}},
		{"MESSAGE", public, nil},
		{"SUBSCRIBE", public, []string{own, "Event: reg", "P-Asserted-Identity: <" + public + ">", "Contact: " + phone.contact()}},
	} {
		phone.callID = sip.NewCallID()
		r := phone.send(request.method, request.uri, "<"+request.uri+">", request.headers...)
		wantStatus(t, r, 503)
		if sip.Value(r, "Retry-After") == "" || sip.Value(r, "Reason") == "" {
			t.Errorf("%s: no Retry-After, or no Reason:\n%s", request.method, r)
		}
	}

	wantStatus(t, phone.send("OPTIONS", "sip:"+c.address.String(), "<sip:"+c.address.String()+">"), 200)
	wantStatus(t, phone.send("BYE", "sip:"+c.address.String(), "<sip:x@y>;tag=1"), 481)

	startHSSAt(t, address)
	await(t, "the service of the user who was registered", func() bool {
		phone.callID = sip.NewCallID()
		return phone.send("MESSAGE", public, "<"+public+">").StatusCode == 200
	})
}
