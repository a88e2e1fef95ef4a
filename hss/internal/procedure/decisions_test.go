package procedure

import (
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// faulty returns a user with whom everything is wrong: not associated, barred, not allowed to roam or to register.
func faulty() identities {
	private := &subscriber.PrivateIdentity{Identity: "001@home", Scheme: subscriber.AKA, VisitedNetworks: []string{"nowhere"}}
	public := &subscriber.PublicIdentity{Identity: "sip:001@home", Kind: subscriber.User, Barred: true}
	set := &subscriber.RegistrationSet{Number: 1, Public: []*subscriber.PublicIdentity{public}}
	s := &subscriber.Subscription{Name: "001", Private: []*subscriber.PrivateIdentity{private}, Sets: []*subscriber.RegistrationSet{set}}

	return identities{Subscription: s, Private: private, Public: public, Set: set}
}

func associate(who identities) {
	who.Set.Registrations = []*subscriber.Registration{{Private: who.Private}}
}

func result(err error) diameter.Result {
	if err == nil {
		return cx.Success
	}

	return diameter.ResultOf(err).Result
}

// The first step that fails is the answer, whatever else is wrong: each row repairs the fault of the row before.
func TestStepsOfUserAuthorizationInOrder(t *testing.T) {
	who := faulty()
	mended := who
	mended.Private, mended.Public = nil, nil
	req := &cx.UAR{UserName: "001@home", PublicIdentity: "sip:001@home", VisitedNetwork: "home"}

	steps := []struct {
		name string
		mend func()
		want diameter.Result
	}{
		{"1: private identity", func() {}, cx.ErrorUserUnknown},
		{"1: public identity", func() { mended.Private = who.Private }, cx.ErrorUserUnknown},
		{"2: association", func() { mended.Public = who.Public }, cx.ErrorIdentitiesDontMatch},
		{"3: barring", func() { associate(who) }, cx.AuthorizationRejected},
		{"4: roaming", func() { who.Public.Barred = false }, cx.ErrorRoamingNotAllowed},
		{"4: registration", func() { who.Private.VisitedNetworks = nil }, cx.AuthorizationRejected},
	}

	for _, step := range steps {
		step.mend()
		if _, err := userAuthorization(mended, req); result(err) != step.want {
			t.Errorf("step %s: %v, want %v", step.name, err, step.want)
		}
	}

	who.Public.MayRegister = true
	answer, err := userAuthorization(mended, req)
	if err != nil || answer.Result != cx.FirstRegistration {
		t.Errorf("step 5: %+v, %v", answer, err)
	}
}

func TestStepsOfMultimediaAuthInOrder(t *testing.T) {
	who := faulty()
	mended := who
	mended.Private, mended.Public = nil, nil
	req := &cx.MAR{
		UserName: "001@home", PublicIdentity: "sip:001@home", NumberOfAuthVectors: 9, ServerName: "sip:s",
		AuthDataItem: cx.AuthDataItem{Scheme: "nonsense", Authorization: []byte("short")},
	}

	steps := []struct {
		name string
		mend func()
		want diameter.Result
	}{
		{"1: private identity", func() {}, cx.ErrorUserUnknown},
		{"1: public identity", func() { mended.Private = who.Private }, cx.ErrorUserUnknown},
		{"2: association", func() { mended.Public = who.Public }, cx.ErrorIdentitiesDontMatch},
		{"3: scheme", func() { associate(who) }, cx.ErrorAuthSchemeNotSupported},
		{"4: AUTS", func() { req.AuthDataItem.Scheme = cx.SchemeUnknown }, diameter.InvalidAVPValue},
		{"4: S-CSCF", func() { req.AuthDataItem.Authorization = make([]byte, 30) }, cx.UnableToComply},
	}

	for _, step := range steps {
		step.mend()
		if _, err := multimediaAuth(mended, req, 5); result(err) != step.want {
			t.Errorf("step %s: %v, want %v", step.name, err, step.want)
		}
		if who.Subscription.ServerName != "" || len(who.Set.Registrations) > 0 && who.Set.Registrations[0].AuthPending {
			t.Fatalf("step %s: a refused MAR changed the state", step.name)
		}
	}

	req.AuthDataItem.Authorization = nil
	challenge, err := multimediaAuth(mended, req, 5)
	if err != nil || challenge.Vectors != 5 || who.Subscription.ServerName != "sip:s" || !who.Set.Registrations[0].AuthPending {
		t.Errorf("step 5: %+v, %v, %+v", challenge, err, who.Subscription)
	}
}

func TestARefusedAssignmentChangesNothing(t *testing.T) {
	for kind := range cx.Restoration + 2 {
		who := faulty()
		associate(who)
		who.Set.Register(who.Private)
		who.Subscription.Assign("sip:s", "s")

		_, err := serverAssignment(
			who,
			&cx.SAR{Type: kind, UserName: "001@home", PublicIdentities: []string{"sip:001@home"}, ServerName: "sip:other"},
			true,
		)
		if err == nil {
			t.Errorf("type %d was accepted from another S-CSCF", kind)
		}
		if who.Set.State() != subscriber.Registered || who.Subscription.ServerName != "sip:s" {
			t.Errorf("type %d was refused and changed the state", kind)
		}
	}
}
