package provisioning

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func number(n int) *int { return &n }

func TestCriteriaOfXML(t *testing.T) {
	const inner = `<Priority>1</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>INVITE</Method>` +
		`</SPT></TriggerPoint>` +
		`<ApplicationServer><ServerName>sip:as</ServerName><DefaultHandling>1</DefaultHandling></ApplicationServer>`
	want := []FilterCriteria{{
		Priority: 1, Trigger: &TriggerPoint{CNF: 1, Points: []ServicePointTrigger{{Groups: []int{0}, Method: "INVITE"}}},
		Server: ApplicationServer{ServerName: "sip:as", DefaultHandling: 1},
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
			ignore := cmpopts.IgnoreFields(FilterCriteria{}, "XMLName")
			if diff := cmp.Diff(want, got, ignore); diff != "" {
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
	as := ApplicationServer{ServerName: "sip:as"}
	trigger := func(points ...ServicePointTrigger) []FilterCriteria {
		return []FilterCriteria{{Server: as, Trigger: &TriggerPoint{Points: points}}}
	}

	for _, test := range []struct {
		name     string
		criteria []FilterCriteria
		want     string
	}{
		{"no server", []FilterCriteria{{}}, "server_name"},
		{"no SIP server", []FilterCriteria{{Server: ApplicationServer{ServerName: "http://as"}}}, "server_name"},
		{"default handling", []FilterCriteria{{Server: ApplicationServer{ServerName: "sip:as", DefaultHandling: 2}}}, "default_handling"},
		{"negative priority", []FilterCriteria{{Priority: -1, Server: as}}, "priority"},
		{"the same priority twice", []FilterCriteria{{Server: as}, {Server: as}}, "filter_criteria[1].priority"},
		{"profile part", []FilterCriteria{{Server: as, ProfilePart: number(2)}}, "profile_part"},
		{"no service point", trigger(), "service_points"},
		{"an empty service point", trigger(ServicePointTrigger{Groups: []int{0}}), "service_points[0]"},
		{"two properties", trigger(ServicePointTrigger{Groups: []int{0}, Method: "INVITE", RequestURI: "sip:x"}), "not 2"},
		{"no group", trigger(ServicePointTrigger{Method: "INVITE"}), "groups"},
		{"session case", trigger(ServicePointTrigger{Groups: []int{0}, SessionCase: number(5)}), "session_case"},
		{
			"registration type",
			trigger(ServicePointTrigger{Groups: []int{0}, Method: "REGISTER", Extension: &TriggerExtension{[]int{3}}}),
			"registration_types",
		},
		{"a bad expression", trigger(ServicePointTrigger{Groups: []int{0}, Header: &HeaderMatch{Header: "Subject", Content: "(["}}), "(["},
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

// What is accepted can be shown again, and what is shown is accepted again.
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
