package profile

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestProfilesAreShared: two users with the same criteria, written the same way or not, share one profile; others do not.
func TestProfilesAreShared(t *testing.T) {
	read := func(p *Cache, text string) *registration.Profile {
		t.Helper()
		_, identities, err := p.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return identities[len(identities)-1].Profile
	}
	p := New(nil)
	base := read(p, document("a", profileOfTest(someCriterion, "sip:a@x")))

	for name, text := range map[string]string{
		"another user":  document("b", profileOfTest(someCriterion, "sip:b@x", "tel:+1")),
		"other spacing": document("b", profileOfTest(strings.ReplaceAll(someCriterion, "><", ">\n <"), "sip:b@x")),
		"a comment":     document("b", profileOfTest(someCriterion+"<!-- x -->", "sip:b@x")),
	} {
		if read(p, text) != base {
			t.Errorf("%s: not shared", name)
		}
		if read(p, text) != base {
			t.Errorf("%s: not shared when it comes again", name)
		}
	}

	var held []*registration.Profile // the cache itself holds none

	for name, text := range map[string]string{
		"no criteria":  document("a", profileOfTest("", "sip:a@x")),
		"two criteria": document("a", profileOfTest(someCriterion+someCriterion, "sip:a@x")),
		"limited media": document(
			"a",
			strings.Replace(
				profileOfTest(someCriterion, "sip:a@x"),
				"<InitialF",
				"<CoreNetworkServicesAuthorization><SubscribedMediaProfileId>7</SubscribedMediaProfileId></CoreNetworkServicesAuthorization><InitialF",
				1,
			),
		),
		"another server": document("a", profileOfTest(strings.Replace(someCriterion, "as.ims", "bs.ims", 1), "sip:a@x")),
	} {
		other := read(p, text)
		if held = append(held, other); other == base || other != read(p, text) {
			t.Errorf("%s: shared with the first, or not with itself", name)
		}
	}

	if n := p.Count(); n != 5 {
		t.Errorf("%d profiles", n)
	}
	runtime.KeepAlive(base)
	runtime.KeepAlive(held)
}

// TestSubscribedServices: the communication services of a subscription (TS 29.228 annex E).
func TestSubscribedServices(t *testing.T) {
	const services = "<CoreNetworkServicesAuthorization><Extension><ListOfServiceIds>" +
		"<ServiceId>urn:urn-7:3gpp-service.ims.icsi.mmtel</ServiceId>" +
		"<ServiceId> x.y </ServiceId></ListOfServiceIds></Extension></CoreNetworkServicesAuthorization>"

	for name, want := range map[string][]string{"": nil, services: {"urn:urn-7:3gpp-service.ims.icsi.mmtel", "x.y"}} {
		_, identities, err := New(nil).Parse(
			[]byte(document("a", strings.Replace(profileOfTest(someCriterion, "sip:a@x"), "<InitialF", name+"<InitialF", 1))),
		)
		if err != nil || !slices.Equal(identities[0].Profile.Services, want) {
			t.Errorf("%v %v, want %v", err, identities, want)
		}
	}
}

// FuzzReadProfile: however a document is written, and whatever came before it, the result is that of parsing it as a whole.
func FuzzReadProfile(f *testing.F) {
	hidden := strings.Replace(profileOfTest("", "sip:a@x"), "</ServiceProfile>", "<X>"+someCriterion+"</X></ServiceProfile>", 1)
	f.Add(document("a", hidden), document("b", profileOfTest(someCriterion, "sip:a@x")))
	f.Add(document("a", profileOfTest(someCriterion, "sip:a@x")), document("a", hidden))
	f.Add(
		document(
			"a",
			profileOfTest(someCriterion+" \n"+someCriterion, "sip:a@x"),
			profileOfTest("", "sip:b@x"),
			profileOfTest(someCriterion, "sip:c@x"),
		),
		"",
	)
	f.Add(
		document("a", profileOfTest(someCriterion+"<Extension><SharedIFCSetID>1</SharedIFCSetID></Extension>"+someCriterion, "sip:a@x")),
		document("a", profileOfTest(someCriterion, "sip:a@x")),
	)
	f.Add(
		"<IMSSubscription><ServiceProfile></ServiceProfile><InitialFilterCriteria></InitialFilterCriteria></IMSSubscription>",
		"<ServiceProfile><InitialFilterCriteria><ServiceProfile></InitialFilterCriteria></ServiceProfile>",
	)

	f.Fuzz(func(t *testing.T, before, text string) {
		shared := map[int][]ifc.InitialFilterCriterion{1: {}}
		p := New(shared)
		_, kept, _ := p.Parse([]byte(before))
		_, got, gotErr := p.Parse([]byte(text))
		_, want, wantErr := New(shared).Parse([]byte(text))

		if gotErr == nil && wantErr == nil && len(got) != len(want) || wantErr == nil && gotErr != nil {
			t.Fatalf("%v (%v), alone %v (%v)", got, gotErr, want, wantErr)
		}

		for i := range got {
			if wantErr == nil &&
				(got[i].URI != want[i].URI || got[i].Profile.Chain.Len() != want[i].Profile.Chain.Len() ||
					!slices.Equal(got[i].Profile.Servers, want[i].Profile.Servers)) {
				t.Fatalf("%+v, alone %+v", got[i], want[i])
			}
		}

		runtime.KeepAlive(kept)
	})
}

// TestWildcardedIdentities: wildcarded service and user identities are recognised by their expressions, wherever those stand (TS 23.003
// §13.5, TS 29.228 annex E).
func TestWildcardedIdentities(t *testing.T) {
	for name, extension := range map[string]string{
		"service": `<IdentityType>2</IdentityType><WildcardedPSI>sip:room!.*!@x</WildcardedPSI>`,
		"user":    `<IdentityType>4</IdentityType><Extension><Extension><WildcardedIMPU>sip:room!.*!@x</WildcardedIMPU></Extension></Extension>`,
	} {
		text := strings.Replace(profileOfTest("", "sip:room1@x"), "</Identity>", "</Identity><Extension>"+extension+"</Extension>", 1)

		_, identities, err := New(nil).Parse([]byte(document("a", text)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}

		g := &registration.Registration{Identities: identities}
		if g.Find("sip:room1@x") == nil || g.Find("sip:room2@x") == nil || g.Find("sip:hall@x") != nil || g.Default() != "" {
			t.Errorf("%s: %+v", name, identities)
		}
	}
}

func document(private string, profiles ...string) string {
	return "<IMSSubscription><PrivateID>" + private + "</PrivateID>" + strings.Join(profiles, "") + "</IMSSubscription>"
}

func profileOfTest(criteria string, identities ...string) string {
	text := "<ServiceProfile>"
	for _, identity := range identities {
		text += "<PublicIdentity><Identity>" + identity + "</Identity></PublicIdentity>"
	}

	return text + criteria + "</ServiceProfile>"
}

const someCriterion = `<InitialFilterCriteria><Priority>0</Priority><ApplicationServer><ServerName>sip:as.ims.example</ServerName>` +
	`<DefaultHandling>0</DefaultHandling></ApplicationServer></InitialFilterCriteria>`
