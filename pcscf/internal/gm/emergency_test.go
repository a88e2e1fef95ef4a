package gm

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
)

// registerSOS makes an emergency registration of alice's handset, or ends it.
func (d *desk) registerSOS(seconds int) {
	d.t.Helper()
	contact := "Contact: <sip:alice@" + aliceAt + `;sos>;+sip.instance="<urn:uuid:1>"`
	d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", fmt.Sprintf("%s;expires=%d", contact, seconds),
		`Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="",uri="sip:ims.example",response=""`)

	answer := []string{
		"Contact: <sip:alice@" + aliceAt + ">;expires=600", "Service-Route: <" + route + ">", "P-Associated-URI: <" + alice + ">",
	}
	if seconds > 0 {
		answer = append(answer, fmt.Sprintf("%s;expires=%d", contact, seconds))
	}

	d.icscf.Answer(d.icscf.Request("REGISTER"), 200, answer...)
	d.alice.Response(200)
}

// TS 24.229 §5.1.6.2: an emergency registration is beside the other one, with an end of its own.
func TestEmergencyRegistration(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		other := d.only()
		d.registerSOS(60)

		all := d.proxy.bindings.Of("alice@ims.example")
		if len(all) != 2 || all[0].Token == all[1].Token || !all[0].Registered || !all[1].Registered {
			t.Fatalf("the handset has not both registrations: %+v", all)
		}

		d.registerSOS(0)
		synctest.Wait()

		if b, found := d.proxy.bindings.ByToken(other.Token); !found || !b.Registered {
			t.Error("the end of the emergency registration was that of the other one")
		}
		for _, b := range d.proxy.bindings.Of("alice@ims.example") {
			if b.Registered && emergency.Contact(b.Contact) {
				t.Error("the emergency registration has not ended")
			}
		}
	})
}

// TS 24.229 §5.2.3: the reg event does not include an emergency registration.
func TestEmergencyRegistrationIsNotWatched(t *testing.T) {
	withWatch(t, func(_ *testing.T, d *desk) {
		d.registerSOS(60)
		synctest.Wait()
		d.icscf.Silent()
		d.register()
		d.icscf.Request("SUBSCRIBE")
	})
}

// An emergency call by its number passes the limits, as one by URN does.
func TestEmergencyNumberPassesLimits(t *testing.T) {
	plan, err := emergency.NewPlan("ims.example", "262", nil)
	if err != nil {
		t.Fatal(err)
	}

	withGate(t, func(c *protection.Config) { c.RegisteredRequests = 1 }, func(t *testing.T, d *desk) {
		d.proxy.emergencies = Emergency{Numbers: plan, PSAPs: map[string]string{"sos": "sip:psap@192.0.2.3:5060"}}
		d.register()

		for range 4 {
			d.send("MESSAGE", "tel:999") // another country's
		}
		synctest.Wait()
		if heard := d.scscf.All(); len(heard) > 1 {
			t.Fatalf("%d messages passed a limit of one", len(heard))
		}

		for uri, urn := range map[string]string{
			"tel:110": "urn:service:sos.police", "sip:112@ims.example;user=phone": "urn:service:sos", "urn:service:sos": "urn:service:sos",
		} {
			d.send("MESSAGE", uri)
			if got := d.scscf.Request("MESSAGE").Recipient.String(); got != urn {
				t.Errorf("%s came for %s, which is %s", got, uri, urn)
			}
		}
	})
}

// A contact for emergency calls, even one that ends at once, makes no emergency registration of another one.
func TestRegisterForEmergenciesAndElse(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send("REGISTER", "sip:ims.example", "To: <"+alice+">",
			"Contact: <sip:alice@"+aliceAt+">;expires=600, <sip:alice@"+aliceAt+";sos>;expires=0")
		want(t, d.alice.Response(400), "Reason", `SIP;cause=400;text="`+emergency.Mixed+`"`)
		d.icscf.Silent()
	})
}
