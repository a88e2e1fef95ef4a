package registrar

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func TestProfiles(t *testing.T) {
	t.Run("implicit registration set: barred identities are not told, the default is the first other", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.userData = document(
				private1,
				profileOfTest("", "barred "+public1, "sip:+15550001@ims.example;user=phone"),
				profileOfTest(someCriterion, "sip:second@ims.example", "sip:chat-!.*!@ims.example"),
			)
			accepted := l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			if got := strings.Join(sip.Values(accepted, "P-Associated-URI"), " "); got != "<"+number1+"> <sip:second@ims.example>" {
				t.Errorf("P-Associated-URI: %s", got)
			}

			for identity, want := range map[string]struct {
				barred   bool
				criteria int
			}{public1: {true, 0}, number1: {false, 0}, "sip:second@ims.example": {false, 1}, "sip:chat-room7@ims.example": {false, 1}} {
				user, found := l.r.Lookup(identity)
				if !found || user.Public.Barred != want.barred || user.Public.Profile.Chain.Len() != want.criteria ||
					user.Default() != number1 {
					t.Errorf("%s: %v %+v", identity, found, user)
				}
			}
			if _, found := l.r.Lookup("sip:third@ims.example"); found {
				t.Error("somebody else was found")
			}
		})
	})

	t.Run("equal services are compiled once, and forgotten with the last user", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			for i := range 3 {
				user := fmt.Sprintf("user%d@ims.example", i)
				l.userData = document(user, profileOfTest(someCriterion, "sip:"+user))
				l.wantStatus(l.register(user, "sip:"+user, "Contact: "+contact1), 200)
			}
			a, _ := l.r.Lookup("sip:user0@ims.example")
			b, _ := l.r.Lookup("sip:user2@ims.example")
			if a.Public.Profile != b.Public.Profile || l.r.profiles.Count() != 1 {
				t.Error("the profile is not shared")
			}
		})
	})

	for name, data := range map[string]string{
		"no document": "", "no XML": "<IMSSubscription", "a criterion that cannot be compiled": document(private1, profileOfTest(
			`<InitialFilterCriteria><Priority>0</Priority><TriggerPoint><SPT><RequestURI>(</RequestURI></SPT></TriggerPoint><ApplicationServer>`+
				`<ServerName>sip:as</ServerName></ApplicationServer></InitialFilterCriteria>`,
			public1,
		)),
		"somebody else's": document("bob", profileOfTest("", "sip:bob@ims.example")),
	} {
		t.Run("500, and the HSS takes it back: "+name, func(t *testing.T) {
			withLab(t, nil, func(t *testing.T, l *lab) {
				l.userData = data
				l.wantReason(l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 500), "profile")
				l.wantAssigned("1 8")
				if len(l.r.Snapshot()) != 0 {
					t.Error("something is registered")
				}
			})
		})
	}
}

func TestChargingFunctions(t *testing.T) {
	withLab(t, func(p *Policy) { p.ChargingFunctions.ECF = []string{"aaa://lab"} }, func(t *testing.T, l *lab) {
		accepted := l.register(private1, public1, "Contact: "+contact1)
		if got := sip.Value(accepted, "P-Charging-Function-Addresses"); got != `ecf="aaa://lab"` {
			t.Errorf("the operator's: %s", got)
		}
		l.charging = &cx.ChargingInformation{
			PrimaryEventChargingFunction:      "aaa://e1",
			SecondaryEventChargingFunction:    "aaa://e2",
			PrimaryChargingCollectionFunction: "aaa://c1",
		}
		accepted = l.register(private1, public1, "Contact: "+contact1)
		if got := sip.Value(accepted, "P-Charging-Function-Addresses"); got != `ccf="aaa://c1";ecf="aaa://e1";ecf-2="aaa://e2"` {
			t.Errorf("the HSS's: %s", got)
		}
	})
}

func TestRegistrationTypes(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.wantStatus(l.register(private1, public1, "Contact: *", "Expires: 0"), 200)
		var kinds []ifc.RegistrationType
		for _, c := range l.changes {
			kinds = append(kinds, c.Type)
			if c.Request == nil || c.Response == nil || c.Response.StatusCode != 200 {
				t.Error("a change without its REGISTER or 200")
			}
		}
		if !slices.Equal(kinds, []ifc.RegistrationType{ifc.InitialRegistration, ifc.ReRegistration, ifc.DeRegistration}) {
			t.Errorf("%v", kinds)
		}
	})
}
