package app

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// A public identity that two private identities share is registered until both have gone (TS 29.228 §6.1.2.1 step 5).
func TestSharedIdentity(t *testing.T) {
	h := start(t, settings(t))
	scscf := connect(t, h, "scscf")
	keys := provisioning.Authentication{K: k, OPc: opc}
	h.api("POST", "/subscribers", provisioning.NewSubscriber{
		Name: "alice",
		PrivateIdentities: []provisioning.PrivateIdentity{
			{Identity: "phone@" + home, Authentication: &keys}, {Identity: "tablet@" + home, Authentication: &keys},
		},
		RegistrationSets: []provisioning.RegistrationSet{
			{Number: 1, PublicIdentities: []provisioning.PublicIdentity{{Identity: "sip:alice@" + home}}},
		},
		Charging: &provisioning.Charging{PrimaryEvent: "aaa://ocs." + home},
	}, nil)
	public := "sip:alice@" + home

	scscf.register("phone@"+home, public)
	scscf.mar("tablet@"+home, public, scscfURI)
	a := scscf.sar(cx.AssignRegistration, "tablet@"+home, scscfURI, public)
	want(t, "Associated-Identities", a.AssociatedIdentities.UserNames, []string{"phone@" + home})
	want(t, "Charging-Information", a.ChargingInformation.PrimaryEventChargingFunction, "aaa://ocs."+home)

	want(t, "the phone leaves", scscf.sar(cx.UserDeregistration, "phone@"+home, scscfURI, public).Result, cx.Success)
	want(t, "LIR", scscf.lir(public).ServerName, scscfURI)
	want(t, "the tablet leaves", scscf.sar(cx.UserDeregistration, "tablet@"+home, scscfURI, public).Result, cx.Success)
	want(t, "LIR", scscf.lir(public).Result, cx.ErrorIdentityNotRegistered)
}

func TestSharedFilterCriteria(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")

	criteria := []ifc.InitialFilterCriterion{{Priority: 5, ApplicationServer: ifc.ApplicationServer{ServerName: "sip:shared.as"}}}
	h.api("PUT", "/shared-filter-criteria/17", provisioning.SharedSet{FilterCriteria: criteria}, nil)
	h.api("PUT", "/service-profiles/default",
		provisioning.ServiceProfile{SharedSets: []int{17}, FilterCriteria: []ifc.InitialFilterCriterion{}}, nil)

	q := cx.SAR{Type: cx.AssignRegistration, UserName: private, ServerName: scscfURI, PublicIdentities: []string{"sip:" + private}}
	whole := q
	data := string(call[cx.SAA](scscf, &whole).UserData)
	if !strings.Contains(data, "sip:shared.as") || strings.Contains(data, "SharedIFCSetID") {
		t.Errorf("an S-CSCF that does not know shared sets gets\n%s", data)
	}

	knows := q
	knows.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 0b1001}}
	a := call[cx.SAA](scscf, &knows)
	data = string(a.UserData)
	if strings.Contains(data, "sip:shared.as") || !strings.Contains(data, "<SharedIFCSetID>17</SharedIFCSetID>") {
		t.Errorf("an S-CSCF that knows shared sets gets\n%s", data)
	}
	h.api("PUT", "/service-profiles/default", provisioning.ServiceProfile{SharedSets: []int{17}, FilterCriteria: criteria}, nil)
	scscf.pushed(1)
	want(
		t,
		"features that the PPR is written with",
		scscf.ppr[0].SupportedFeatures,
		[]cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 1}},
	)
	if !strings.Contains(string(scscf.ppr[0].UserData), "<SharedIFCSetID>17</SharedIFCSetID>") {
		t.Errorf("it gets\n%s", scscf.ppr[0].UserData)
	}
	want(
		t,
		"Supported-Features of the HSS",
		a.SupportedFeatures,
		[]cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 1}},
	)
}
