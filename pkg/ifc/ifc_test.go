package ifc

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type probe struct {
	method, uri string
	headers     [][2]string
	side        SessionCase
	kind        RegistrationType
	sdp         []byte
}

func (p *probe) Method() string                     { return p.method }
func (p *probe) RequestURI() string                 { return p.uri }
func (p *probe) SessionCase() SessionCase           { return p.side }
func (p *probe) RegistrationType() RegistrationType { return p.kind }
func (p *probe) SDP() []byte                        { return p.sdp }

func (p *probe) EachHeader(name string, yield func(string) bool) {
	for i := range p.headers {
		if strings.EqualFold(p.headers[i][0], name) && !yield(p.headers[i][1]) {
			return
		}
	}
}

func (p *probe) EachHeaderName(yield func(string) bool) {
	for i := range p.headers {
		if !yield(p.headers[i][0]) {
			return
		}
	}
}

func invite() *probe {
	return &probe{
		method: "INVITE", uri: "tel:+15551234", side: Originating,
		headers: [][2]string{
			{"From", "<sip:a@b>"},
			{"Supported", "timer"},
			{"supported", "100rel"},
			{"Accept-Contact", "*;+g.3gpp.icsi-ref=\"urn\""},
		},
		sdp: []byte("v=0\r\nm=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 31\na=sendrecv"),
	}
}

// one compiles a profile with one criterion whose trigger point is this XML.
func one(t testing.TB, triggerPoint string) *Chain {
	t.Helper()

	document := `<IMSSubscription><PrivateID>p</PrivateID><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity>` +
		`<InitialFilterCriteria><Priority>0</Priority>` + triggerPoint +
		`<ApplicationServer><ServerName>sip:as</ServerName></ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>`

	s, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(s.ServiceProfiles[0], nil)
	if err != nil {
		t.Fatal(err)
	}

	return c
}

func matches(c *Chain, r Request) bool {
	_, found := c.Next(r, -1, true)
	return found
}

// kinds holds every kind of trigger, once such that it holds for the request of invite, and once such that it does not.
var kinds = map[string]struct{ holds, fails string }{
	"Method":     {"<Method>INVITE</Method>", "<Method>MESSAGE</Method>"},
	"RequestURI": {"<RequestURI>^tel:[+]1</RequestURI>", "<RequestURI>^sip:</RequestURI>"},
	"SIPHeader":  {"<SIPHeader><Header>accept-contact</Header></SIPHeader>", "<SIPHeader><Header>Event</Header></SIPHeader>"},
	"SIPHeader content": {
		"<SIPHeader><Header>Accept-Contact</Header><Content>icsi-ref</Content></SIPHeader>",
		"<SIPHeader><Header>Accept-Contact</Header><Content>oma</Content></SIPHeader>",
	},
	"SIPHeader name ERE": {
		"<SIPHeader><Header>Accept-(Contact|X)</Header></SIPHeader>",
		"<SIPHeader><Header>Reject-(Contact|X)</Header></SIPHeader>",
	},
	"SIPHeader second value": {
		"<SIPHeader><Header>Supported</Header><Content>^100rel$</Content></SIPHeader>",
		"<SIPHeader><Header>Supported</Header><Content>^gruu$</Content></SIPHeader>",
	},
	"SIPHeader ERE content": {
		"<SIPHeader><Header>(Supp|Requ).*</Header><Content>timer</Content></SIPHeader>",
		"<SIPHeader><Header>(Supp|Requ).*</Header><Content>gruu</Content></SIPHeader>",
	},
	"SIPHeader ERE absent": {
		"<SIPHeader><Header>.*</Header><Content>icsi-ref</Content></SIPHeader>",
		"<SIPHeader><Header>Accep.</Header></SIPHeader>",
	},
	"Line ERE": {
		"<SessionDescription><Line>[mb]</Line><Content>^video</Content></SessionDescription>",
		"<SessionDescription><Line>[bc]</Line></SessionDescription>",
	},
	"Line with its sign": {
		"<SessionDescription><Line>m=</Line><Content>audio</Content></SessionDescription>",
		"<SessionDescription><Line>c=</Line></SessionDescription>",
	},
	"last line": {
		"<SessionDescription><Line>a</Line><Content>^sendrecv$</Content></SessionDescription>",
		"<SessionDescription><Line>m</Line><Content>31.$</Content></SessionDescription>",
	},
	"SessionCase": {"<SessionCase>0</SessionCase>", "<SessionCase>1</SessionCase>"},
	"SessionDescription": {
		"<SessionDescription><Line>m</Line><Content>^video</Content></SessionDescription>",
		"<SessionDescription><Line>m</Line><Content>^message</Content></SessionDescription>",
	},
	"a line without content": {
		"<SessionDescription><Line>a</Line></SessionDescription>",
		"<SessionDescription><Line>b</Line></SessionDescription>",
	},
}

// TestTruthTables goes through each kind of trigger, negated and not, under CNF and DNF, in one group and in two.
func TestTruthTables(t *testing.T) {
	spt := func(body string, negated, group int) string {
		return fmt.Sprintf("<SPT><ConditionNegated>%d</ConditionNegated><Group>%d</Group>%s</SPT>", negated, group, body)
	}

	for name, kind := range kinds {
		for bits := range 32 {
			aHolds, bHolds := bits&1 != 0, bits&2 != 0
			aNegated, bNegated := bits>>2&1, bits>>3&1
			twoGroups := bits >> 4 & 1

			body := func(holds bool) string {
				if holds {
					return kind.holds
				}
				return kind.fails
			}
			a, b := aHolds != (aNegated == 1), bHolds != (bNegated == 1)

			for cnf := range 2 {
				and := (cnf == 1) == (twoGroups == 1) // CNF: AND across groups; DNF: AND inside
				want := a || b
				if and {
					want = a && b
				}

				point := fmt.Sprintf("<TriggerPoint><ConditionTypeCNF>%d</ConditionTypeCNF>%s%s</TriggerPoint>",
					cnf, spt(body(aHolds), aNegated, 0), spt(body(bHolds), bNegated, twoGroups))
				if got := matches(one(t, point), invite()); got != want {
					t.Errorf("%s: %v, want %v for %s", name, got, want, point)
				}
			}
		}
	}
}

func TestSPTInSeveralGroups(t *testing.T) {
	// (INVITE or MESSAGE) and (INVITE or originating): INVITE stands in both groups.
	point := `<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>
		<SPT><Group>0</Group><Group>1</Group><Method>INVITE</Method></SPT>
		<SPT><Group>0</Group><Method>MESSAGE</Method></SPT>
		<SPT><Group>1</Group><SessionCase>0</SessionCase></SPT></TriggerPoint>`
	c := one(t, point)

	for _, test := range []struct {
		method string
		side   SessionCase
		want   bool
	}{
		{"INVITE", TerminatingRegistered, true},
		{"MESSAGE", Originating, true},
		{"MESSAGE", TerminatingRegistered, false},
		{"PUBLISH", Originating, false},
	} {
		if got := matches(c, &probe{method: test.method, side: test.side}); got != test.want {
			t.Errorf("%s in case %d: %v", test.method, test.side, got)
		}
	}
}

func TestNoTriggerPointMeansAlways(t *testing.T) {
	if !matches(one(t, ""), &probe{method: "X"}) {
		t.Error("a criterion without trigger point did not match")
	}
	if matches(one(t, "<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF></TriggerPoint>"), &probe{method: "X"}) {
		t.Error("a trigger point without triggers matched")
	}
}

func TestConditionTypeDNF(t *testing.T) {
	point := `<TriggerPoint><ConditionTypeDNF>1</ConditionTypeDNF><SPT><Group>0</Group><Method>INVITE</Method></SPT><SPT><Group>0</Group>` +
		`<SessionCase>1</SessionCase></SPT></TriggerPoint>`
	if matches(one(t, point), invite()) {
		t.Error("ConditionTypeDNF 1 was not read as CNF 0")
	}
}

func TestRegistrationType(t *testing.T) {
	c := one(
		t,
		`<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>REGISTER</Method><Extension>`+
			`<RegistrationType>0</RegistrationType><RegistrationType>2</RegistrationType></Extension></SPT></TriggerPoint>`,
	)
	for kind, want := range map[RegistrationType]bool{InitialRegistration: true, ReRegistration: false, DeRegistration: true} {
		if got := matches(c, &probe{method: "REGISTER", kind: kind}); got != want {
			t.Errorf("registration type %d: %v", kind, got)
		}
	}
}

func TestPrioritiesPartsAndSharedSets(t *testing.T) {
	part := func(n int) *int { return &n }
	as := func(name string) ApplicationServer { return ApplicationServer{ServerName: name, DefaultHandling: 1} }
	profile := ServiceProfile{
		InitialFilterCriteria: []InitialFilterCriterion{
			{Priority: 20, ApplicationServer: as("sip:second")},
			{Priority: 10, ApplicationServer: as("sip:first"), ProfilePartIndicator: part(0)},
			{Priority: 30, ApplicationServer: as("sip:voicemail"), ProfilePartIndicator: part(1)},
		},
		Extension: &ProfileExtension{SharedIFCSetIDs: []int{7}},
	}
	c, err := Compile(profile, map[int][]InitialFilterCriterion{7: {{Priority: 15, ApplicationServer: as("sip:shared")}}})
	if err != nil {
		t.Fatal(err)
	}

	walk := func(registered bool) (names []string) {
		for at := -1; ; {
			m, found := c.Next(invite(), at, registered)
			if !found {
				return names
			}
			names, at = append(names, m.Server), m.Index
		}
	}
	if diff := cmp.Diff([]string{"sip:first", "sip:shared", "sip:second"}, walk(true)); diff != "" {
		t.Error("registered: " + diff)
	}
	if diff := cmp.Diff([]string{"sip:shared", "sip:second", "sip:voicemail"}, walk(false)); diff != "" {
		t.Error("unregistered: " + diff)
	}
	if _, err := Compile(profile, nil); err == nil {
		t.Error("an unknown shared set was passed over")
	}
}

func TestParse(t *testing.T) {
	namespaced := `<?xml version="1.0"?><c:IMSSubscription xmlns:c="urn:3gpp:ns:cxdata"><c:PrivateID>p</c:PrivateID><c:ServiceProfile>` +
		`<c:PublicIdentity><c:BarringIndication>1</c:BarringIndication><c:Identity>sip:a@b</c:Identity></c:PublicIdentity></c:ServiceProfile>` +
		`</c:IMSSubscription>`
	s, err := Parse([]byte(namespaced))
	if err != nil || !s.ServiceProfiles[0].PublicIdentities[0].Barred() {
		t.Fatalf("a document with a namespace: %+v %v", s, err)
	}

	written, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(written)
	if err != nil || again.PrivateID != "p" {
		t.Errorf("written and read again: %v\n%s", err, written)
	}

	for name, document := range map[string]string{
		"no XML":        "hello",
		"no profile":    "<IMSSubscription><PrivateID>p</PrivateID></IMSSubscription>",
		"no identity":   "<IMSSubscription><ServiceProfile></ServiceProfile></IMSSubscription>",
		"document type": `<!DOCTYPE x [<!ENTITY a "b">]><IMSSubscription/>`,
		"deep":          strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
	} {
		if _, err := Parse([]byte(document)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

// TestSessionCases: each value of SessionCase matches its own and no other (TS 29.228 annex F).
func TestSessionCases(t *testing.T) {
	for wanted := Originating; wanted <= OriginatingCDIV; wanted++ {
		c := one(
			t,
			fmt.Sprintf(
				"<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><SessionCase>%d</SessionCase></SPT></TriggerPoint>",
				wanted,
			),
		)
		for given := Originating; given <= OriginatingCDIV; given++ {
			if got := matches(c, &probe{method: "INVITE", side: given}); got != (wanted == given) {
				t.Errorf("case %d for a request of case %d: %v", wanted, given, got)
			}
		}
	}
}

// TestNormalForms: three groups of two triggers, all 64 assignments, against the formula.
func TestNormalForms(t *testing.T) {
	for bits := range 64 {
		point := ""
		var value [6]bool
		for i := range value {
			value[i] = bits>>i&1 == 1
			body := "<Method>MESSAGE</Method>"
			if value[i] {
				body = "<Method>INVITE</Method>"
			}
			point += fmt.Sprintf("<SPT><Group>%d</Group>%s</SPT>", []int{7, 1000000, -1}[i/2], body)
		}
		for cnf, want := range []bool{
			value[0] && value[1] || value[2] && value[3] || value[4] && value[5],
			(value[0] || value[1]) && (value[2] || value[3]) && (value[4] || value[5]),
		} {
			c := one(t, fmt.Sprintf("<TriggerPoint><ConditionTypeCNF>%d</ConditionTypeCNF>%s</TriggerPoint>", cnf, point))
			if got := matches(c, invite()); got != want {
				t.Errorf("CNF %d, %v: %v", cnf, value, got)
			}
		}
	}
}

// TestAbsentHeader: a negated header trigger without Content means the absence of the header (TS 29.228 annex B.2.3).
func TestAbsentHeader(t *testing.T) {
	c := one(
		t,
		"<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><ConditionNegated>true</ConditionNegated><Group>0</Group><SIPHeader>"+
			"<Header>Event</Header></SIPHeader></SPT></TriggerPoint>",
	)
	r := invite()
	if !matches(c, r) {
		t.Error("the absence of a header was not seen")
	}
	r.headers = append(r.headers, [2]string{"EVENT", "reg"})
	if matches(c, r) {
		t.Error("the presence of a header was not seen")
	}
}

// TestAskingDoesNotAllocate goes through all kinds, matching or not.
func TestAskingDoesNotAllocate(t *testing.T) {
	var r Request = invite()
	for name, kind := range kinds {
		for _, body := range []string{kind.holds, kind.fails} {
			c := one(t, "<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group>"+body+"</SPT></TriggerPoint>")
			if n := testing.AllocsPerRun(200, func() { c.Next(r, -1, true) }); n > lostToRace {
				t.Errorf("%s: %v allocations for %s", name, n, body)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	as := func(priority int) InitialFilterCriterion {
		return InitialFilterCriterion{Priority: priority, ApplicationServer: ApplicationServer{ServerName: fmt.Sprintf("sip:as%d", priority)}}
	}
	c, err := Compile(ServiceProfile{InitialFilterCriteria: []InitialFilterCriterion{as(3), as(1), as(2), as(1)}}, nil)
	if err != nil {
		t.Fatal(err)
	}

	var all, rest []string
	for m := range c.Matches(invite(), -1, true) {
		all = append(all, m.Server)
	}
	for m := range c.Matches(invite(), 1, true) { // an application server hands the request back
		rest = append(rest, m.Server)
		break
	}
	if diff := cmp.Diff([][]string{{"sip:as1", "sip:as1", "sip:as2", "sip:as3"}, {"sip:as2"}}, [][]string{all, rest}); diff != "" {
		t.Error(diff)
	}

	var none *Chain
	if _, found := none.Next(invite(), -1, true); found || none.Len() != 0 {
		t.Error("the chain of no criteria has some")
	}
	for _, after := range []int{-5, 4, 1 << 40} {
		if m, found := c.Next(invite(), after, true); found != (after < 0) {
			t.Errorf("after %d: %+v", after, m)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	five, text := 5, func(s string) *string { return &s }
	as := ApplicationServer{ServerName: "sip:as"}
	spt := func(s SPT) InitialFilterCriterion {
		return InitialFilterCriterion{ApplicationServer: as, TriggerPoint: &TriggerPoint{SPTs: []SPT{s}}}
	}
	beyond := SessionCase(5)

	for name, criterion := range map[string]InitialFilterCriterion{
		"no server":                {},
		"a server of two lines":    {ApplicationServer: ApplicationServer{ServerName: "sip:as\r\nVia: x"}},
		"default handling 2":       {ApplicationServer: ApplicationServer{ServerName: "sip:as", DefaultHandling: 2}},
		"profile part 5":           {ApplicationServer: as, ProfilePartIndicator: &five},
		"a trigger of no kind":     spt(SPT{}),
		"a trigger of two kinds":   spt(SPT{Method: text("INVITE"), RequestURI: text("sip:")}),
		"session case 5":           spt(SPT{SessionCase: &beyond}),
		"registration type 3":      spt(SPT{Method: text("REGISTER"), Extension: &TriggerExtension{RegistrationTypes: []RegistrationType{3}}}),
		"no method":                spt(SPT{Method: text(" ")}),
		"an expression unclosed":   spt(SPT{RequestURI: text("(")}),
		"a header without name":    spt(SPT{SIPHeader: &HeaderTrigger{}}),
		"a header name unclosed":   spt(SPT{SIPHeader: &HeaderTrigger{Header: "("}}),
		"a header content":         spt(SPT{SIPHeader: &HeaderTrigger{Header: "From", Content: text("*")}}),
		"a line without type":      spt(SPT{SessionDescription: &DescriptionTrigger{Line: "="}}),
		"a line type unclosed":     spt(SPT{SessionDescription: &DescriptionTrigger{Line: "[m"}}),
		"a line content":           spt(SPT{SessionDescription: &DescriptionTrigger{Line: "m", Content: text("[")}}),
		"a trigger in 1001 groups": spt(SPT{Method: text("INVITE"), Groups: make([]int, 1001)}),
		"1001 triggers":            {ApplicationServer: as, TriggerPoint: &TriggerPoint{SPTs: make([]SPT, 1001)}},
	} {
		if _, err := Compile(ServiceProfile{InitialFilterCriteria: []InitialFilterCriterion{criterion}}, nil); err == nil {
			t.Errorf("%s: compiled", name)
		}
	}
}

// FuzzParse: a parsed document can be written and parsed again, and a compiled one evaluated.
func FuzzParse(f *testing.F) {
	f.Add(
		`<IMSSubscription><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity><InitialFilterCriteria><TriggerPoint>` +
			`<SPT><Group>1</Group><RequestURI>(a|b)*</RequestURI></SPT></TriggerPoint><ApplicationServer><ServerName>s</ServerName>` +
			`</ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>`,
	)
	f.Add(complete)
	f.Add(strings.Replace(complete, "</TriggerPoint>", foreign+"</TriggerPoint>", 1))
	f.Fuzz(func(t *testing.T, document string) {
		s, err := Parse([]byte(document))
		if err != nil {
			return
		}
		written, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("%q was written %q: %v", document, written, err)
		}
		s.XMLName, again.XMLName = xml.Name{}, xml.Name{} // written without a namespace
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("%q was written %q:\n%s", document, written, diff)
		}
		for i, p := range s.ServiceProfiles {
			c, err := Compile(p, nil)
			if second, err2 := Compile(again.ServiceProfiles[i], nil); (err == nil) != (err2 == nil) || c.Len() != second.Len() {
				t.Errorf("%q and %q compile to different chains: %v, %v", document, written, err, err2)
			}
			for range c.Matches(invite(), -1, true) {
				continue
			}
		}
	})
}
