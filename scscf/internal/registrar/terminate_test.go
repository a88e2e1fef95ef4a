package registrar

import (
	"errors"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

func TestRegistrationTermination(t *testing.T) {
	const tablet = "tablet@ims.example"

	rtr := func(code cx.ReasonCode, publics ...string) *cx.RTR {
		return &cx.RTR{UserName: private1, PublicIdentities: publics, Reason: cx.DeregistrationReason{Code: code}}
	}

	for _, test := range []struct {
		name     string
		request  *cx.RTR
		events   string
		contacts int // left, of two private identities
	}{
		{"PERMANENT_TERMINATION ends the private identity's", rtr(cx.PermanentTermination), "rejected", 1},
		{
			"and associated identities'",
			&cx.RTR{UserName: private1, AssociatedIdentities: &cx.AssociatedIdentities{UserNames: []string{tablet}}},
			"rejected+rejected",
			0,
		},
		{"NEW_SERVER_ASSIGNED ends all, and asks to register again", rtr(cx.NewServerAssigned), "deactivated+deactivated", 0},
		{"SERVER_CHANGE", rtr(cx.ServerChange), "deactivated+deactivated", 0},
		{"REMOVE_S-CSCF", rtr(cx.RemoveSCSCF), "rejected+rejected", 0},
		{"for a public identity", rtr(cx.PermanentTermination, number1), "rejected", 1},
		{"for a public identity that is not here", rtr(cx.PermanentTermination, "sip:other@ims.example"), "", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			withLab(t, nil, func(t *testing.T, l *lab) {
				l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
				l.callID = "call-2"
				l.wantStatus(l.register(tablet, public1, "Contact: <sip:alice@192.0.2.2>"), 200)
				l.changes = nil

				if _, err := l.r.RegistrationTermination(t.Context(), test.request); err != nil {
					t.Fatal(err)
				}
				l.wantEvents(test.events)
				l.wantAssigned("1 1") // no SAR follows
				user, _ := l.r.Lookup(public1)
				if user.Registration == nil && test.contacts > 0 || user.Registration != nil && len(user.Bindings) != test.contacts {
					t.Errorf("%+v", user.Registration)
				}
			})
		})
	}

	withLab(t, nil, func(t *testing.T, l *lab) {
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		if _, err := l.r.RegistrationTermination(t.Context(), rtr(cx.PermanentTermination)); err != nil {
			t.Fatal(err)
		}
		l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), "Contact: "+contact1), 401) // the challenge ended with it

		var refused *diameter.Error
		if _, err := l.r.RegistrationTermination(t.Context(), rtr(99)); !errors.As(err, &refused) ||
			refused.Result != diameter.InvalidAVPValue {
			t.Errorf("an unknown reason: %v", err)
		}
	})
}

func TestPushProfile(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		before, _ := l.r.Lookup(public1)

		_, err := l.r.PushProfile(
			t.Context(),
			&cx.PPR{UserName: private1, UserData: []byte(document(private1, profileOfTest("", public1, "sip:new@ims.example")))},
		)
		if err != nil {
			t.Fatal(err)
		}

		after, _ := l.r.Lookup(public1)
		if before.Public.Profile.Chain.Len() != 1 || after.Public.Profile.Chain.Len() != 0 || len(after.Bindings) != 1 {
			t.Errorf("before %+v, after %+v", before, after)
		}
		if _, found := l.r.Lookup(number1); found {
			t.Error("an identity that left the set is still served")
		}
		if _, found := l.r.Lookup("sip:new@ims.example"); !found {
			t.Error("an identity that came to the set is not served")
		}
		l.wantEvents("registered ")
		if c := l.changes[1]; c.Cause != registration.ByProfile || len(c.Contacts) != 0 {
			t.Errorf("%+v", c)
		}

		_, err = l.r.PushProfile(
			t.Context(),
			&cx.PPR{UserName: private1, ChargingInformation: &cx.ChargingInformation{PrimaryEventChargingFunction: "aaa://x"}},
		)
		user, _ := l.r.Lookup(public1)
		if c, given := user.Charging(); err != nil || !given || c.EventPrimary != "aaa://x" {
			t.Errorf("charging information: %+v %v", c, err)
		}

		for name, test := range map[string]struct {
			request *cx.PPR
			result  diameter.Result
		}{
			"nothing in it":  {&cx.PPR{UserName: private1}, diameter.UnableToComply},
			"cannot be read": {&cx.PPR{UserName: private1, UserData: []byte("<")}, cx.ErrorNotSupportedUserData},
			"not here":       {&cx.PPR{UserName: "bob", ChargingInformation: &cx.ChargingInformation{}}, cx.ErrorUserUnknown},
			"not here (profile)": {
				&cx.PPR{UserName: "bob", UserData: []byte(document("bob", profileOfTest("", "sip:bob@ims.example")))},
				cx.ErrorUserUnknown,
			},
		} {
			if _, err := l.r.PushProfile(t.Context(), test.request); diameter.ResultOf(err).Result != test.result {
				t.Errorf("%s: %v", name, err)
			}
		}
		if now, _ := l.r.Lookup(public1); now.Public.Profile != after.Public.Profile {
			t.Error("a PPR that was refused changed the profile")
		}
	})
}

func TestUnregisteredUser(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		if _, found := l.r.Lookup(public1); found {
			t.Fatal("found")
		}
		user, err := l.r.FetchUnregistered(t.Context(), public1)
		if err != nil || user.State != registration.Unregistered || user.Public.Profile.Chain.Len() != 1 {
			t.Fatalf("%+v %v", user, err)
		}
		if sar := l.sar[0]; sar.UserName != "" || sar.PublicIdentities[0] != public1 {
			t.Errorf("SAR: %+v", sar)
		}
		if _, err := l.r.FetchUnregistered(t.Context(), number1); err != nil {
			t.Error(err)
		}
		l.wantAssigned("3") // the second came with the first

		time.Sleep(9 * time.Minute)
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		time.Sleep(2 * time.Minute)
		if user, found := l.r.Lookup(number1); !found || user.State != registration.Registered {
			t.Error("the registration ended with the profile of the unregistered user")
		}
		l.wantAssigned("3 1")
	})

	withLab(t, nil, func(t *testing.T, l *lab) {
		if _, err := l.r.FetchUnregistered(t.Context(), public1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		l.wantAssigned("3 4")
		if l.r.store.count() != 0 || l.r.schedule.Len() != 0 {
			t.Error("something is left")
		}
	})

	for result, status := range map[diameter.Result]int{cx.ErrorUserUnknown: 403, cx.UnableToComply: 500} {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.result[cx.UnregisteredUser] = result
			_, err := l.r.FetchUnregistered(t.Context(), public1)

			var refusal *sip.Refusal
			if !errors.As(err, &refusal) || refusal.Status != status || !errors.Is(err, result) {
				t.Errorf("%v: %v", result, err)
			}
		})
	}
}

func TestOperatorEndsARegistration(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		if found, err := l.r.Deregister(t.Context(), number1, registration.ByOperator); !found || err != nil {
			t.Errorf("%v %v", found, err)
		}
		l.wantAssigned("1 8")
		l.wantEvents("registered deactivated")
		if found, err := l.r.Deregister(t.Context(), number1, registration.ByOperator); found || err != nil {
			t.Errorf("twice: %v %v", found, err)
		}
	})
}
