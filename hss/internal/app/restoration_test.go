package app

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

func restorationOf(private, contact string) *cx.SCSCFRestorationInfo {
	first := uint32(4711)

	return &cx.SCSCFRestorationInfo{
		UserName: private, Scheme: cx.SchemeDigestAKAv1MD5, RegistrationTimeOut: time.Unix(1_800_000_000, 0),
		Info: []cx.RestorationInfo{{
			Path: []byte("<sip:term@pcscf." + home + ";lr>"), Contact: []byte(contact), InitialCSeq: &first, CallID: []byte("a\x00call"),
			Subscription: &cx.SubscriptionInfo{
				CallID:      []byte("c"),
				From:        []byte("f"),
				To:          []byte("t"),
				RecordRoute: []byte("r"),
				Contact:     []byte("k"),
			},
		}},
	}
}

// TS 29.228 §6.1.2, TS 23.380 §4.2: the restoration information stored by an S-CSCF is returned when it has lost the registration, and is
// deleted with the registration.
func TestRestorationInformation(t *testing.T) {
	c := settings(t)
	h := start(t, c)
	keys := provisioning.Authentication{K: k, OPc: opc}
	phone, tablet, public := "phone@"+home, "tablet@"+home, "sip:alice@"+home
	h.api("POST", "/subscribers", provisioning.NewSubscriber{
		Name:              "alice",
		PrivateIdentities: []provisioning.PrivateIdentity{{Identity: phone, Authentication: &keys}, {Identity: tablet, Authentication: &keys}},
		RegistrationSets:  []provisioning.RegistrationSet{{Number: 1, PublicIdentities: []provisioning.PublicIdentity{{Identity: public}}}},
	}, nil)
	scscf := connect(t, h, "scscf")

	features := []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: cx.FeatureRestoration}}
	sar := func(kind cx.ServerAssignmentType, private string, info *cx.SCSCFRestorationInfo, features []cx.SupportedFeatures) *cx.SAA {
		t.Helper()
		q := &cx.SAR{Type: kind, UserName: private, ServerName: scscfURI, PublicIdentities: []string{public}, RestorationInfo: info}
		q.SupportedFeatures = features
		return call[cx.SAA](scscf, q)
	}
	contacts := func(a *cx.SAA) (all []string) {
		for _, info := range a.RestorationInfo {
			for _, one := range info.Info {
				all = append(all, info.UserName+" "+string(one.Contact))
			}
		}
		return all
	}

	scscf.mar(phone, public, scscfURI)
	a := sar(cx.AssignRegistration, phone, restorationOf(phone, "<sip:phone>"), features)
	want(t, "first registration", a.Result, cx.Success)
	want(t, "nothing but its own is kept", contacts(a), []string(nil))

	scscf.mar(tablet, public, scscfURI)
	a = sar(cx.AssignRegistration, tablet, restorationOf(tablet, "<sip:tablet>"), features)
	want(t, "the other private identity's comes with the second", contacts(a), []string{phone + " <sip:phone>"})

	a = sar(cx.ReRegistration, phone, restorationOf(phone, "<sip:phone2>"), features)
	want(t, "a re-registration takes the place of the first", a.Result, cx.Success)
	h.stop()
	h = start(t, c) // it is on the disk
	scscf = connect(t, h, "scscf")

	a = sar(cx.NoAssignment, phone, nil, features)
	want(t, "NO_ASSIGNMENT", a.Result, cx.Success)
	want(t, "NO_ASSIGNMENT has it all", contacts(a), []string{phone + " <sip:phone2>", tablet + " <sip:tablet>"})
	got, sent := a.RestorationInfo[0], restorationOf(phone, "<sip:phone2>")
	if !got.RegistrationTimeOut.Equal(sent.RegistrationTimeOut) || *got.Info[0].InitialCSeq != 4711 ||
		string(got.Info[0].CallID) != "a\x00call" ||
		string(got.Info[0].Subscription.RecordRoute) != "r" {
		t.Errorf("it comes back as %+v", got)
	}

	a = sar(cx.NoAssignment, phone, nil, nil)
	want(t, "an S-CSCF without the feature does not get it", contacts(a), []string(nil))

	a = sar(cx.UnregisteredUser, "", nil, features)
	want(t, "UNREGISTERED_USER of a registered user", a.Result, cx.ErrorInAssignmentType)
	want(t, "has it all, too", len(contacts(a)), 2)
	want(t, "and the profile", strings.Contains(string(a.UserData), public), true)
	want(t, "the state is as it was", scscf.lir(public).Result, cx.Success)

	want(t, "the phone leaves", sar(cx.UserDeregistration, phone, nil, features).Result, cx.Success)
	want(t, "what is left", contacts(sar(cx.NoAssignment, tablet, nil, features)), []string{tablet + " <sip:tablet>"})
	scscf.mar(phone, public, scscfURI)
	want(t, "the phone comes again, without", contacts(sar(cx.AssignRegistration, phone, nil, features)), []string{tablet + " <sip:tablet>"})

	want(t, "given without the feature", sar(cx.ReRegistration, phone, restorationOf(phone, "<sip:x>"), nil).Result, cx.Success)
	want(t, "it is not kept", contacts(sar(cx.NoAssignment, phone, nil, features)), []string{tablet + " <sip:tablet>"})
}

// TS 29.228 annex B.2.1 and TS 29.229 §6.3.45.
func TestAliasesAndLooseRoute(t *testing.T) {
	s := situations(t)(t)
	s.change(func(d *provisioning.Subscriber) {
		for i := range d.RegistrationSets[0].PublicIdentities {
			d.RegistrationSets[0].PublicIdentities[i].AliasGroup = "one"
		}
		d.RegistrationSets[0].LooseRoute = true
	})

	var shown provisioning.Subscriber
	s.api("GET", "/subscribers/"+s.name, nil, &shown)
	want(t, "loose_route", shown.RegistrationSets[0].LooseRoute, true)
	want(t, "alias_group", shown.RegistrationSets[0].PublicIdentities[0].AliasGroup, "one")

	s.registered()
	for _, test := range []struct {
		name     string
		features []cx.SupportedFeatures
		groups   int
	}{
		{"an S-CSCF that does not know aliases", nil, 0},
		{
			"one that does",
			[]cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: cx.FeatureAliases}},
			len(shown.RegistrationSets[0].PublicIdentities),
		},
	} {
		q := &cx.SAR{Type: cx.ReRegistration, UserName: s.private, ServerName: scscfURI, PublicIdentities: []string{s.public}}
		q.SupportedFeatures = test.features
		a := call[cx.SAA](s.scscf, q)
		want(t, test.name, strings.Count(string(a.UserData), "<AliasIdentityGroupID>one<"), test.groups)
		if a.LooseRoute == nil || *a.LooseRoute != 1 {
			t.Errorf("%s: Loose-Route-Indication %v, want 1", test.name, a.LooseRoute)
		}
	}

	err := s.Do(t.Context(), "PUT", "/subscribers/"+s.name+"/public-identities/sip:other@"+home,
		provisioning.PlacedIdentity{RegistrationSet: 1, PublicIdentity: provisioning.PublicIdentity{AliasGroup: "one"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "same service profile") {
		t.Errorf("an alias with other services: %v", err)
	}
}
