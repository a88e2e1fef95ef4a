package userdata

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

var update = flag.Bool("update", false, "write the golden files")

const voicemail = `<InitialFilterCriteria>
 <Priority>7</Priority>
 <TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>` +
	`<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><SessionCase>2</SessionCase></SPT></TriggerPoint>
 <ApplicationServer><ServerName>sip:voicemail.as</ServerName><DefaultHandling>0</DefaultHandling></ApplicationServer>
 <Vendor:Own xmlns:Vendor="urn:x">kept as it is</Vendor:Own>
</InitialFilterCriteria>`

func set() *subscriber.RegistrationSet {
	media := 3
	telephony := &subscriber.ServiceProfile{
		ID:                     1,
		Name:                   "telephony",
		FilterCriteria:         voicemail,
		SharedSets:             []int{4},
		SubscribedMediaProfile: &media,
	}

	return &subscriber.RegistrationSet{Number: 1, Public: []*subscriber.PublicIdentity{
		{Identity: "sip:001@home", Kind: subscriber.User, Barred: true, AliasGroup: "1", ProfileID: 1, Profile: telephony},
		{Identity: "tel:+15550001", Kind: subscriber.User, AliasGroup: "1", DisplayName: `Alice & <"Bob">`, ProfileID: 1, Profile: telephony},
		{Identity: "sip:plain@home", Kind: subscriber.User},
		{Identity: "sip:desk-!.*!@home", Kind: subscriber.User, Wildcard: true, ProfileID: 1, Profile: telephony},
		{Identity: "sip:chat-!.*!@home", Kind: subscriber.Service, Wildcard: true},
		{Identity: "sip:conference@home", Kind: subscriber.Service},
	}}
}

func TestDocument(t *testing.T) {
	shared := shared{
		4: {
			Number: 4,
			FilterCriteria: `<InitialFilterCriteria><Priority>9</Priority><ApplicationServer><ServerName>sip:shared.as</ServerName>` +
				`</ApplicationServer></InitialFilterCriteria>`,
		},
	}

	for name, features := range map[string]uint32{
		"whole":   0,
		"shared":  cx.FeatureSharedSets,
		"aliases": cx.FeatureSharedSets | cx.FeatureAliases,
	} {
		knows := features&cx.FeatureSharedSets != 0
		t.Run(name, func(t *testing.T) {
			got, err := document("001@home", set(), "sip:desk-17@home", shared, features)
			if err != nil {
				t.Fatal(err)
			}

			golden := "testdata/" + name + ".xml"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Error(cmp.Diff(string(want), string(got)))
			}

			parsed, err := ifc.Parse(got)
			if err != nil {
				t.Fatal(err)
			}
			criteria := 2
			if knows {
				criteria = 1
			}
			first := parsed.ServiceProfiles[0]
			if len(parsed.ServiceProfiles) != 2 || len(first.PublicIdentities) != 3 || len(first.InitialFilterCriteria) != criteria {
				t.Errorf("the S-CSCF reads %+v", parsed)
			}
			if !first.PublicIdentities[0].Barred() || first.PublicIdentities[1].Extension.DisplayName != `Alice & <"Bob">` ||
				first.PublicIdentities[2].Identity != "sip:desk-17@home" ||
				first.PublicIdentities[2].Extension.WildcardedIdentity != "sip:desk-!.*!@home" {
				t.Errorf("the S-CSCF reads %+v", first.PublicIdentities)
			}
			if *first.CoreNetworkServices.SubscribedMediaProfileID != 3 || knows != (first.Extension != nil) {
				t.Errorf("the S-CSCF reads %+v", first)
			}
		})
	}

	if _, err := document("001@home", set(), "", nil, 0); err == nil {
		t.Error("a shared set that nobody has was left out")
	}
}

func TestTheDefaultIdentityComesFirst(t *testing.T) {
	services := &subscriber.ServiceProfile{ID: 1}
	got, err := document("001@home", &subscriber.RegistrationSet{Public: []*subscriber.PublicIdentity{
		{Identity: "sip:barred@home", Barred: true, ProfileID: 1, Profile: services},
		{Identity: "sip:default@home"},
		{Identity: "sip:third@home", ProfileID: 1, Profile: services},
	}}, "", nil, 0)
	if err != nil {
		t.Fatal(err)
	}

	parsed, err := ifc.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	if first := parsed.ServiceProfiles[0].PublicIdentities[0]; first.Identity != "sip:default@home" {
		t.Errorf("the S-CSCF takes %+v for the default", first)
	}
}
