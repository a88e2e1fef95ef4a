package app

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func TestFirstRegistration(t *testing.T) {
	c := start(t, nil)
	h := newHandset(t, c)
	contact := "Contact: " + h.contact() + `;+sip.instance="<urn:gsma:imei:86020404-365961-0>";+g.3gpp.smsip;audio;expires=600000`

	challenge := h.register(unprotected(), contact)
	wantStatus(t, challenge, 401)

	ch, err := digest.ParseChallenge(sip.Value(challenge, "WWW-Authenticate"))
	if err != nil {
		t.Fatal(err)
	}
	if ch.Realm != home || ch.Algorithm != "AKAv1-MD5" || len(ch.IK) != 32 || len(ch.CK) != 32 || len(ch.QoP) != 1 {
		t.Errorf("challenge: %+v", ch)
	}

	accepted := h.register(h.answer(challenge, "REGISTER"), contact)
	wantStatus(t, accepted, 200)

	for name, want := range map[string]string{
		"Path":              h.path(),
		"P-Associated-URI":  "<" + public + ">, <" + number + ">",
		"Service-Route":     "<sip:orig@" + c.address.String() + ";lr>",
		"Contact":           h.contact() + `;+sip.instance="<urn:gsma:imei:86020404-365961-0>";+g.3gpp.smsip;audio;expires=7200`,
		"P-Charging-Vector": `icid-value=abc;orig-ioi=visited;term-ioi=` + home,
	} {
		if got := strings.Join(sip.Values(accepted, name), ", "); strings.ReplaceAll(got, `"`, "") != strings.ReplaceAll(want, `"`, "") {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}

	c.hss.awaitAssignments(t, "1")

	mar, sar := c.hss.mars[0], c.hss.sars[0]
	if mar.UserName != private || mar.PublicIdentity != public || mar.ServerName != "sip:scscf."+home+":5060" || mar.AuthDataItem.Scheme != cx.SchemeUnknown {
		t.Errorf("MAR: %+v", mar)
	}
	if sar.UserName != private || len(sar.PublicIdentities) != 1 || sar.PublicIdentities[0] != public || sar.ServerName == "" {
		t.Errorf("SAR: %+v", sar)
	}

	for _, identity := range []string{public, number} {
		user, found := c.scscf.registrar.Lookup(identity)
		if !found || user.Default() != public || user.Public.URI != identity || len(user.Bindings) != 1 || user.Bindings[0].Path[0] != h.path() {
			t.Errorf("%s: %+v", identity, user)
		}
	}
}
