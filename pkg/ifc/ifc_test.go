package ifc

import (
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
	sdp         string
}

func (p *probe) Method() string                     { return p.method }
func (p *probe) RequestURI() string                 { return p.uri }
func (p *probe) SessionCase() SessionCase           { return p.side }
func (p *probe) RegistrationType() RegistrationType { return p.kind }
func (p *probe) SDP() []byte                        { return []byte(p.sdp) }

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
		headers: [][2]string{{"From", "<sip:a@b>"}, {"Accept-Contact", "*;+g.3gpp.icsi-ref=\"urn\""}},
		sdp:     "v=0\r\nm=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 31\r\na=sendrecv\r\n",
	}
}

// one compiles a profile with one criterion whose trigger point is this XML.
func one(t testing.TB, triggerPoint string) *Chain {
	t.Helper()

	document := `<IMSSubscription><PrivateID>p</PrivateID><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity>` +
		`<InitialFilterCriteria><Priority>0</Priority>` + triggerPoint + `<ApplicationServer><ServerName>sip:as</ServerName></ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>`

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

var kinds = map[string]struct{ holds, fails string }{
	"Method":                 {"<Method>INVITE</Method>", "<Method>MESSAGE</Method>"},
	"RequestURI":             {"<RequestURI>^tel:[+]1</RequestURI>", "<RequestURI>^sip:</RequestURI>"},
	"SIPHeader":              {"<SIPHeader><Header>accept-contact</Header></SIPHeader>", "<SIPHeader><Header>Event</Header></SIPHeader>"},
	"SIPHeader content":      {"<SIPHeader><Header>Accept-Contact</Header><Content>icsi-ref</Content></SIPHeader>", "<SIPHeader><Header>Accept-Contact</Header><Content>oma</Content></SIPHeader>"},
	"SIPHeader name ERE":     {"<SIPHeader><Header>Accept-(Contact|X)</Header></SIPHeader>", "<SIPHeader><Header>Reject-(Contact|X)</Header></SIPHeader>"},
	"SessionCase":            {"<SessionCase>0</SessionCase>", "<SessionCase>1</SessionCase>"},
	"SessionDescription":     {"<SessionDescription><Line>m</Line><Content>^video</Content></SessionDescription>", "<SessionDescription><Line>m</Line><Content>^message</Content></SessionDescription>"},
	"a line without content": {"<SessionDescription><Line>a</Line></SessionDescription>", "<SessionDescription><Line>b</Line></SessionDescription>"},
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
	}{{"INVITE", TerminatingRegistered, true}, {"MESSAGE", Originating, true}, {"MESSAGE", TerminatingRegistered, false}, {"PUBLISH", Originating, false}} {
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
	point := `<TriggerPoint><ConditionTypeDNF>1</ConditionTypeDNF><SPT><Group>0</Group><Method>INVITE</Method></SPT><SPT><Group>0</Group><SessionCase>1</SessionCase></SPT></TriggerPoint>`
	if matches(one(t, point), invite()) {
		t.Error("ConditionTypeDNF 1 was not read as CNF 0")
	}
}

func TestRegistrationType(t *testing.T) {
	c := one(t, `<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>REGISTER</Method><Extension><RegistrationType>0</RegistrationType><RegistrationType>2</RegistrationType></Extension></SPT></TriggerPoint>`)
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
	namespaced := `<?xml version="1.0"?><c:IMSSubscription xmlns:c="urn:3gpp:ns:cxdata"><c:PrivateID>p</c:PrivateID><c:ServiceProfile><c:PublicIdentity><c:BarringIndication>1</c:BarringIndication><c:Identity>sip:a@b</c:Identity></c:PublicIdentity></c:ServiceProfile></c:IMSSubscription>`
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

func TestNoMatchDoesNotAllocate(t *testing.T) {
	c := one(t, `<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>MESSAGE</Method></SPT><SPT><Group>1</Group><RequestURI>^sip:</RequestURI></SPT></TriggerPoint>`)
	var r Request = invite()
	if n := testing.AllocsPerRun(100, func() { c.Next(r, -1, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`<IMSSubscription><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity><InitialFilterCriteria><TriggerPoint><SPT><Group>1</Group><RequestURI>(a|b)*</RequestURI></SPT></TriggerPoint><ApplicationServer><ServerName>s</ServerName></ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>`)
	f.Fuzz(func(_ *testing.T, document string) {
		s, err := Parse([]byte(document))
		if err != nil {
			return
		}
		for _, p := range s.ServiceProfiles {
			if c, err := Compile(p, nil); err == nil {
				c.Next(invite(), -1, true)
			}
		}
	})
}

func BenchmarkNoMatch(b *testing.B) {
	c := one(b, `<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>MESSAGE</Method></SPT></TriggerPoint>`)
	var r Request = invite()
	b.ReportAllocs()
	for b.Loop() {
		c.Next(r, -1, true)
	}
}
