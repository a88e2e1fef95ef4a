package provisioning

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

func of[T any](v T) *T { return &v }

func TestCriteriaOfXML(t *testing.T) {
	const inner = `<Priority>1</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>INVITE</Method>` +
		`</SPT></TriggerPoint>` +
		`<ApplicationServer><ServerName>sip:as</ServerName><DefaultHandling>1</DefaultHandling></ApplicationServer>`
	want := []ifc.InitialFilterCriterion{{
		Priority:          1,
		TriggerPoint:      &ifc.TriggerPoint{ConditionTypeCNF: of(ifc.Bool(1)), SPTs: []ifc.SPT{{Groups: []int{0}, Method: of("INVITE")}}},
		ApplicationServer: ifc.ApplicationServer{ServerName: "sip:as", DefaultHandling: 1},
	}}
	bare := "<InitialFilterCriteria>" + inner + "</InitialFilterCriteria>"

	tests := []struct {
		name, document string
		shared         []int
	}{
		{"criteria alone", bare, nil},
		{"a ServiceProfile", "<ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity>" + bare + "</ServiceProfile>", nil},
		{
			"an IMSSubscription",
			`<?xml version="1.0"?><IMSSubscription xmlns="urn:ietf:params:xml:ns:x"><PrivateID>a@b</PrivateID><ServiceProfile>` + bare +
				"<Extension><SharedIFCSetID>3</SharedIFCSetID><SharedIFCSetID>4</SharedIFCSetID></Extension></ServiceProfile></IMSSubscription>",
			[]int{3, 4},
		},
		{
			"with prefixes",
			`<x:ServiceProfile xmlns:x="urn:x">` + strings.ReplaceAll(strings.ReplaceAll(bare, "</", "</x:"), "<", "<x:") + "</x:ServiceProfile>",
			nil,
		},
		{"ConditionTypeDNF", strings.ReplaceAll(strings.ReplaceAll(bare, "CNF", "DNF"), "<ConditionTypeDNF>1", "<ConditionTypeDNF>0"), nil},
	}
	tests[3].document = strings.ReplaceAll(tests[3].document, "<x:/x:", "</x:")

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text, shared, err := criteriaOf(test.document)
			if err != nil {
				t.Fatalf("%v\n%s", err, test.document)
			}

			got, err := decodeCriteria(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.shared, shared); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(text, "x:") {
				t.Errorf("a prefix that nothing declares: %s", text)
			}
		})
	}
}

func TestBadCriteria(t *testing.T) {
	as := ifc.ApplicationServer{ServerName: "sip:as"}
	trigger := func(points ...ifc.SPT) []ifc.InitialFilterCriterion {
		return []ifc.InitialFilterCriterion{{ApplicationServer: as, TriggerPoint: &ifc.TriggerPoint{SPTs: points}}}
	}

	for _, test := range []struct {
		name     string
		criteria []ifc.InitialFilterCriterion
		want     string
	}{
		{"no server", []ifc.InitialFilterCriterion{{}}, "server_name"},
		{"no SIP server", []ifc.InitialFilterCriterion{{ApplicationServer: ifc.ApplicationServer{ServerName: "http://as"}}}, "server_name"},
		{
			"default handling",
			[]ifc.InitialFilterCriterion{{ApplicationServer: ifc.ApplicationServer{ServerName: "sip:as", DefaultHandling: 2}}},
			"default_handling",
		},
		{"negative priority", []ifc.InitialFilterCriterion{{Priority: -1, ApplicationServer: as}}, "priority"},
		{
			"the same priority twice",
			[]ifc.InitialFilterCriterion{{ApplicationServer: as}, {ApplicationServer: as}},
			"filter_criteria[1].priority",
		},
		{"profile part", []ifc.InitialFilterCriterion{{ApplicationServer: as, ProfilePartIndicator: of(2)}}, "profile_part"},
		{"no service point", trigger(), "service_points"},
		{"an empty service point", trigger(ifc.SPT{Groups: []int{0}}), "service_points[0]"},
		{"two properties", trigger(ifc.SPT{Groups: []int{0}, Method: of("INVITE"), RequestURI: of("sip:x")}), "not 2"},
		{"no group", trigger(ifc.SPT{Method: of("INVITE")}), "groups"},
		{"session case", trigger(ifc.SPT{Groups: []int{0}, SessionCase: of(ifc.SessionCase(5))}), "session_case"},
		{
			"registration type",
			trigger(ifc.SPT{
				Groups:    []int{0},
				Method:    of("REGISTER"),
				Extension: &ifc.TriggerExtension{RegistrationTypes: []ifc.RegistrationType{3}},
			}),
			"registration_types",
		},
		{"a bad expression", trigger(ifc.SPT{Groups: []int{0}, SIPHeader: &ifc.HeaderTrigger{Header: "Subject", Content: of("([")}}), "(["},
	} {
		if text, err := encodeCriteria("filter_criteria", test.criteria); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v %s, want %q", test.name, err, text, test.want)
		}
	}

	for _, document := range []string{
		"<InitialFilterCriteria>", "<a></b>", "<InitialFilterCriteria><Priority>x</Priority></InitialFilterCriteria>",
		strings.Repeat("<InitialFilterCriteria></InitialFilterCriteria>", maxCriteria+1),
	} {
		if text, _, err := criteriaOf(document); err == nil {
			t.Errorf("%.80s was taken as %s", document, text)
		}
	}
}

// Accepted criteria can be shown, and shown criteria are accepted.
func FuzzCriteriaOf(f *testing.F) {
	f.Add(
		"<ServiceProfile><InitialFilterCriteria><Priority>1</Priority><ApplicationServer><ServerName>sip:as</ServerName></ApplicationServer>" +
			"</InitialFilterCriteria></ServiceProfile>",
	)
	f.Add(`<x:InitialFilterCriteria xmlns:x="y"><x:Priority>1</x:Priority></x:InitialFilterCriteria>`)
	f.Add("<SharedIFCSetID>a</SharedIFCSetID>")
	f.Add("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>")
	f.Fuzz(func(t *testing.T, document string) {
		text, _, err := criteriaOf(document)
		if err != nil {
			return
		}

		criteria, err := decodeCriteria(text)
		if err != nil {
			t.Fatalf("accepted, but cannot be shown: %v\n%s", err, text)
		}
		if _, err := encodeCriteria("again", criteria); err != nil {
			t.Fatalf("shown, but not accepted again: %v\n%s", err, text)
		}
	})
}
