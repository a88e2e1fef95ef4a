package ifc

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// foreign holds elements unknown to this package, with and without prefixes, nested.
const foreign = `<v:Own xmlns:v="urn:x" v:a="1" b="2">kept <i xmlns="">as<j/></i> &amp; where <v:k/> it is</v:Own><New>1</New>`

// Foreign elements are preserved through reading and writing, in every part of a criterion.
func TestForeignElementsAreKept(t *testing.T) {
	const want = `<Own xmlns="urn:x" xmlns:_="urn:x" _:a="1" b="2">kept <i xmlns="">as<j></j></i> &amp; where <k></k> it is</Own>`

	text := strings.NewReplacer("HERE", foreign).Replace(`<InitialFilterCriteria xmlns="urn:cx"><Priority>1</Priority><TriggerPoint>` +
		`<ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><SIPHeader><Header>From</Header>HERE</SIPHeader>HERE</SPT>` +
		`<SPT><Group>0</Group><Method>REGISTER</Method><Extension>HERE</Extension></SPT>HERE</TriggerPoint><ApplicationServer>` +
		`<ServerName>sip:as</ServerName><DefaultHandling>0</DefaultHandling><Extension>HERE</Extension>HERE</ApplicationServer>HERE` +
		`</InitialFilterCriteria>`)

	first, _, err := ParseCriteria([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	written, err := MarshalCriteria(first)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(written), want); n != strings.Count(text, "<v:Own") {
		t.Errorf("%d are kept in\n%s", n, written)
	}
	if n := strings.Count(string(written), `<New xmlns="urn:cx">1</New>`); n != strings.Count(text, "<New>") {
		t.Errorf("%d are kept in\n%s", n, written)
	}

	again, _, err := ParseCriteria(written)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
}

// The same criterion as XML and as JSON, in both directions.
func TestCriterionAsJSON(t *testing.T) {
	text, err := os.ReadFile("testdata/criterion.json")
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON []InitialFilterCriterion
	if err := json.Unmarshal(text, &fromJSON); err != nil {
		t.Fatal(err)
	}

	inXML, err := MarshalCriteria(fromJSON)
	if err != nil {
		t.Fatal(err)
	}
	fromXML, _, err := ParseCriteria(inXML)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromXML); diff != "" {
		t.Errorf("-JSON +XML\n%s", diff)
	}

	inJSON, err := json.MarshalIndent(fromXML, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(inJSON)+"\n"); diff != "" {
		t.Error(diff)
	}
}

// FuzzCriterionAsJSON: a criterion that was read is written alike.
func FuzzCriterionAsJSON(f *testing.F) {
	f.Add(`{"priority":1,"trigger":{"cnf":1,"service_points":[{"groups":[0],"method":"INVITE"}]},` +
		`"application_server":{"server_name":"sip:as","default_handling":0}}`)
	f.Add(`{"trigger":{"service_points":[{"negated":1,"sip_header":{"header":"a","content":""},"extension":{"registration_types":[0]}}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var c, again InitialFilterCriterion
		if json.Unmarshal([]byte(text), &c) != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("%s was written %s\n%s", text, written, diff)
		}
		if _, err := MarshalCriteria([]InitialFilterCriterion{c}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzCriteria: criteria alone, as the HSS stores them, are written as they were read.
func FuzzCriteria(f *testing.F) {
	f.Add("<InitialFilterCriteria>" + foreign + "<Priority>3</Priority></InitialFilterCriteria><InitialFilterCriteria/>")
	f.Add("<InitialFilterCriteria>")
	f.Add("</criteria>")
	f.Fuzz(func(t *testing.T, text string) {
		first, _, err := ParseCriteria([]byte(text))
		if err != nil {
			return
		}
		ForUnregistered(first)
		written, err := MarshalCriteria(first)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, _, err := ParseCriteria(written)
		if err != nil {
			t.Fatalf("%q was written %q: %v", text, written, err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("%q was written %q\n%s", text, written, diff)
		}
	})
}

func TestForUnregistered(t *testing.T) {
	criterion := func(inside string) string {
		return "<InitialFilterCriteria><Priority>1</Priority>" + inside + "</InitialFilterCriteria>"
	}
	spt := func(inside string) string { return criterion("<TriggerPoint><SPT>" + inside + "</SPT></TriggerPoint>") }

	for _, test := range []struct {
		name, text string
		want       bool
	}{
		{"no criteria", "", false},
		{"no trigger is always", criterion(""), true},
		{"a method is in any case", spt("<Method>INVITE</Method>"), true},
		{"case 2", spt("<SessionCase>2</SessionCase>"), true},
		{"another case", spt("<SessionCase>1</SessionCase>"), false},
		{"not another case", spt("<ConditionNegated>1</ConditionNegated><SessionCase>1</SessionCase>"), true},
		{"not case 2", spt("<ConditionNegated>1</ConditionNegated><SessionCase>2</SessionCase>"), false},
		{
			"case 2 in the part of registered users",
			criterion("<TriggerPoint><SPT><SessionCase>2</SessionCase></SPT></TriggerPoint><ProfilePartIndicator>0</ProfilePartIndicator>"),
			false,
		},
		{"the part of unregistered users", criterion("<ProfilePartIndicator>1</ProfilePartIndicator>"), true},
		{"the second of two", spt("<SessionCase>0</SessionCase>") + spt("<SessionCase>2</SessionCase>"), true},
	} {
		criteria, _, err := ParseCriteria([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := ForUnregistered(criteria); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
