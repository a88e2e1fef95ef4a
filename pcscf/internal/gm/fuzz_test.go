package gm

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// FuzzHandset: whatever a registered handset sends, nothing in it that the core trusts is the handset's own, and it goes nowhere but to the
// I-CSCF and to the S-CSCF of the registration (TS 24.229 §5.2.6.3). TOKEN stands for the handset's token; there is a dialog with Call-ID
// call-2, the handset's tag a and the other's tag b.
func FuzzHandset(f *testing.F) {
	head := func(method, uri, callID, to string, lines ...string) []byte {
		return []byte(strings.Join(append([]string{
			method + " " + uri + " SIP/2.0",
			"Via: SIP/2.0/UDP " + aliceAt + ";rport;branch=z9hG4bKfuzz",
			"Max-Forwards: 70",
			"From: <" + alice + ">;tag=a",
			"To: " + to,
			"Call-ID: " + callID, "CSeq: 9 " + method, "Contact: <sip:alice@" + aliceAt + ">",
		}, lines...), "\r\n") + "\r\n\r\n")
	}
	dialog := []string{"Route: <sip:TOKEN@" + gmAddress + ";lr>, <sip:TOKEN@" + mwAddress + ";lr>, " + beyondMw}

	f.Add(head("REGISTER", "sip:ims.example", "r", "<"+alice+">", append([]string{authorization}, forged...)...))
	f.Add(
		head(
			"REGISTER",
			"sip:ims.example",
			"r",
			"<"+alice+">",
			`Authorization: Digest username="bob@ims.example",realm="r",nonce="",uri="x",response="",integrity-protected="yes"`,
			"Contact: *",
			"Expires: 0",
			"Path: <sip:x;lr>",
		),
	)
	f.Add(
		head(
			"REGISTER",
			"sip:192.0.2.99",
			"r",
			"<tel:+1>",
			"Route: <sip:TOKEN@"+gmAddress+";lr>, <sip:192.0.2.99;lr>",
			"Require: path, sec-agree",
			"Proxy-Require: sec-agree",
		),
	)
	f.Add(
		head(
			"INVITE",
			bob,
			"i",
			"<"+bob+">",
			append([]string{"Route: <sip:192.0.2.99;lr>", "P-Preferred-Identity: <" + bob + ">"}, forged...)...),
	)
	f.Add(
		head(
			"INVITE",
			"sip:bob@192.0.2.99",
			"i",
			"<"+bob+">",
			"p-asserted-identity : <"+bob+">",
			"P-Asserted-Identity: \"x\" <"+bob+">, <tel:+1>",
			"Record-Route: <sip:192.0.2.99;lr>",
		),
	)
	f.Add(head("INVITE", "tel:+1", "i", "<"+bob+">", "Route: <sip:192.0.2.99>", "Privacy: id", "P-Served-User: <"+bob+">"))
	f.Add(head("INVITE", "sip:bob@192.0.2.99", "call-2", "<"+bob+">;tag=b", dialog...))
	f.Add(head("INVITE", "sip:bob@192.0.2.99", "call-2", "<"+bob+">;tag=c", dialog...))
	f.Add(head("BYE", "sip:bob@192.0.2.99", "call-2", "<"+bob+">;tag=b", "Route: <sip:TOKEN@"+gmAddress+";lr>"))
	f.Add(head("ACK", "sip:bob@192.0.2.99", "call-2", "<"+bob+">;tag=b", "Route: <sip:TOKEN@"+gmAddress+";lr>, <sip:192.0.2.99;lr>"))
	f.Add(head("ACK", "sip:bob@192.0.2.99", "x", "<"+bob+">;tag=b", "Route: <sip:TOKEN@"+mwAddress+";lr>, <sip:192.0.2.99;lr>"))
	f.Add(head("SUBSCRIBE", "sip:TOKEN@"+gmAddress+";lr", "s", "<"+alice+">", "Route: <sip:192.0.2.99;lr>", "Event: reg"))
	f.Add(head("NOTIFY", "sip:reg-event@"+mwAddress, "s", "<"+alice+">;tag=b", "Event: reg", "Content-Type: application/reginfo+xml"))
	f.Add(head("OPTIONS", "sip:"+gmAddress, "o", "<"+alice+">", "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK1"))
	f.Add(head("CANCEL", bob, "i", "<"+bob+">"))
	f.Add(head("MESSAGE", "urn:service:sos", "m", "<urn:service:sos>", "Max-Forwards: 0"))
	f.Add(
		[]byte(
			"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: 1\r\n" +
				"CSeq: 1 INVITE\r\n\r\n",
		),
	)
	f.Add([]byte("\r\n\r\n"))

	f.Fuzz(func(t *testing.T, raw []byte) {
		withGate(t, nil, func(t *testing.T, d *desk) {
			d.register()
			d.call()
			token := d.only().Token
			d.alice.Raw(gmAddress, strings.ReplaceAll(string(raw), "TOKEN", token))
			synctest.Wait()

			for _, m := range d.icscf.All() {
				wantOfREGISTER(t, m, token)
			}
			for _, m := range d.scscf.All() {
				wantOfHandset(t, m)
			}
			for _, to := range d.network.Astray() {
				if address := to.Addr().String(); address != "10.0.0.1" && address != "192.0.2.2" && address != "192.0.2.3" {
					t.Errorf("something goes to %s", to)
				}
			}
			if strings.Contains(d.log.String(), "panicked") {
				t.Errorf("panic:\n%s", d.log)
			}
		})
	})
}

func wantOfREGISTER(t *testing.T, m sip.Message, token string) {
	t.Helper()
	r, ok := m.(*sip.Request)
	if !ok || r.Method != "REGISTER" {
		t.Errorf("the I-CSCF gets\n%s", m)
		return
	}

	path := sip.Values(r, "Path")
	a, err := sip.ParseNameAddr(strings.Join(path, ", "))
	if u, errURI := sip.ParseURI(a.URI); len(path) != 1 || err != nil || errURI != nil || u.Host != "192.0.2.1" || u.Port != 5070 ||
		u.User == "" {
		t.Errorf("Path %q", path)
	}
	if authorization := sip.Values(r, "Authorization"); len(authorization) > 1 ||
		strings.Contains(strings.Join(authorization, ""), `integrity-protected="yes"`) {
		t.Errorf("Authorization %q", authorization)
	}
	if sip.Has(r, "P-Asserted-Identity") || sip.Has(r, "Route") {
		t.Errorf("P-Asserted-Identity or Route in\n%s", r)
	}
	wantCharged(t, r)
}

func wantOfHandset(t *testing.T, m sip.Message) {
	t.Helper()
	r, ok := m.(*sip.Request)
	if !ok {
		t.Errorf("the S-CSCF gets\n%s", m)
		return
	}

	for _, value := range sip.Values(r, "P-Asserted-Identity") {
		if a, err := sip.ParseNameAddr(value); err != nil || !ims.SameIdentity(a.URI, alice) && !ims.SameIdentity(a.URI, number) {
			t.Errorf("P-Asserted-Identity %s", value)
		}
	}
	routes, err := sip.Routes(r)
	if err != nil || len(routes) == 0 || !strings.Contains(routes[0].URI, "@192.0.2.3:5060;lr") {
		t.Errorf("Route %v", routes)
	}
	for _, name := range trust.Withheld(trust.Handset, trust.Core) {
		if name != "P-Charging-Vector" && name != "P-Asserted-Identity" && sip.Has(r, name) {
			t.Errorf("%s in\n%s", name, r)
		}
	}
	if _, within := r.To().Params.Get("tag"); !within {
		wantCharged(t, r)
	}
}

func wantCharged(t *testing.T, r *sip.Request) {
	t.Helper()
	if v := ims.ParseChargingVector(sip.Value(r, "P-Charging-Vector")); v.ICID == "" || len(v.ICID) < 20 ||
		v.OriginatingIOI != "visited.example" {
		t.Errorf("P-Charging-Vector %q", sip.Values(r, "P-Charging-Vector"))
	}
}
