package app

import (
	"strings"
	"testing"
	"time"

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
	if mar.UserName != private || mar.PublicIdentity != public || mar.ServerName != "sip:scscf."+home+":5060" ||
		mar.AuthDataItem.Scheme != cx.SchemeUnknown {
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

// TestResynchronisation: over the wire, the SIM's AUTS makes the HSS step, and the next challenge is answered (TS 33.102 §6.3.5).
func TestResynchronisation(t *testing.T) {
	c := start(t, nil)
	h := newHandset(t, c)
	h.sim.SetSQN(1 << 20)
	contact := "Contact: " + h.contact()

	challenge := h.register(unprotected(), contact)
	wantStatus(t, challenge, 401)

	again := h.register(h.answer(challenge, "REGISTER"), contact)
	wantStatus(t, again, 401)
	wantStatus(t, h.register(h.answer(again, "REGISTER"), contact), 200)
	c.hss.awaitAssignments(t, "1")

	if !strings.Contains(c.log.String(), "AUTS received") {
		t.Error("the log does not say so")
	}
}

// TestDeadHSS: a dead HSS is not an unknown user: 504, with the cause, and existing registrations stay.
func TestDeadHSS(t *testing.T) {
	c := start(t, func(c *Config) { c.Diameter.RequestTimeout = time.Second })
	h := newHandset(t, c)
	wantStatus(t, h.registerFully("Contact: "+h.contact()), 200)

	c.hss.stop()
	await(t, "the loss of the connection", func() bool { return c.scscf.node.Peers()[0].State != "open" })

	refused := h.register(unprotected(), "Contact: "+h.contact())
	wantStatus(t, refused, 504)

	if reason := sip.Value(refused, "Reason"); !strings.HasPrefix(reason, "DIAMETER;cause=3002;") {
		t.Errorf("Reason: %s", reason)
	}
	if _, found := c.scscf.registrar.Lookup(public); !found {
		t.Error("the registration is gone")
	}
}
