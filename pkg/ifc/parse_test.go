package ifc

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	_ "embed"

	"github.com/google/go-cmp/cmp"
)

// complete has every element that this package knows, in the order of the schema (TS 29.228 annex E).
//
//go:embed testdata/complete.xml
var complete string

func TestMarshalKeepsTheOrderOfTheSchema(t *testing.T) {
	s, err := Parse([]byte(complete))
	if err != nil {
		t.Fatal(err)
	}
	written, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(complete), string(written)); diff != "" {
		t.Error(diff)
	}

	identity := s.ServiceProfiles[0].PublicIdentities[1]
	if e := identity.Extension; identity.Wildcard() != "sip:!.*!@ims.example" || e.DisplayName != "Box" || *e.MaxRegistrations != 3 ||
		e.IdentityType != WildcardedPublicUserIdentity {
		t.Errorf("read %+v", e)
	}
	if w := s.ServiceProfiles[1].PublicIdentities[0].Wildcard(); w != "sip:chat-!.*!@ims.example" {
		t.Errorf("wildcarded service %q", w)
	}
}

func TestParseAsOthersWrite(t *testing.T) {
	bare := `<IMSSubscription><PrivateID>p</PrivateID><ServiceProfile><PublicIdentity><BarringIndication> TRUE </BarringIndication>` +
		`<Identity>sip:é@b</Identity></PublicIdentity>` +
		`<InitialFilterCriteria><Priority> 7 </Priority><TriggerPoint><ConditionTypeCNF>false</ConditionTypeCNF><SPT><Group>0</Group>` +
		`<Method>INVITE</Method><Extension/></SPT></TriggerPoint>` +
		`<ApplicationServer><ServerName>sip:as</ServerName></ApplicationServer><NewThing a="b"><x/></NewThing></InitialFilterCriteria>` +
		`</ServiceProfile></IMSSubscription>`

	latin1 := strings.ReplaceAll(bare, "é", "\xe9")
	for name, document := range map[string]string{
		"bare":                     bare,
		"declaration and comments": "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x -->" + bare + "\n<!-- y -->\n",
		"default namespace": strings.Replace(
			bare,
			"<IMSSubscription>",
			`<IMSSubscription xmlns="urn:3gpp:ns:cxdata" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" `+
				`xsi:noNamespaceSchemaLocation="CxDataType.xsd">`,
			1,
		),
		"prefixed namespace": strings.Replace(
			strings.NewReplacer("</", "</cx:", "<", "<cx:").Replace(bare),
			"<cx:IMSSubscription>",
			`<cx:IMSSubscription xmlns:cx="urn:3gpp:ns:cxdata">`,
			1,
		),
		"ISO 8859-1":   `<?xml version="1.0" encoding="ISO-8859-1"?>` + latin1,
		"windows-1252": `<?xml version='1.0' encoding='Windows-1252'?>` + latin1,
	} {
		s, err := Parse([]byte(document))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := s.ServiceProfiles[0]
		if id := p.PublicIdentities[0]; !id.Barred() || id.Identity != "sip:é@b" {
			t.Errorf("%s: %+v", name, id)
		}
		if c := p.InitialFilterCriteria[0]; c.Priority != 7 || c.TriggerPoint.cnf() {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	wrap := func(inner string) string {
		return "<IMSSubscription><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity>" + inner +
			"</ServiceProfile></IMSSubscription>"
	}
	if _, err := Parse([]byte(wrap(""))); err != nil {
		t.Fatal(err)
	}

	for name, document := range map[string]string{
		"nothing":                "",
		"another root":           "<ServiceProfile/>",
		"cut off":                wrap("")[:80],
		"two roots":              wrap("") + wrap(""),
		"text behind":            wrap("") + "x",
		"tags that do not match": strings.Replace(wrap(""), "</Identity>", "</Name>", 1),
		"an entity":              wrap("<PrivateID>&x;</PrivateID>"),
		"a billion laughs":       `<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]>` + wrap("&b;"),
		"another encoding":       `<?xml version="1.0" encoding="EBCDIC"?>` + wrap(""),
		"no UTF-8":               wrap("<x>\xff</x>"),
		"an identity of spaces":  strings.Replace(wrap(""), "sip:a@b", "  ", 1),
		"a barring of words":     strings.Replace(wrap(""), "<Identity>", "<BarringIndication>maybe</BarringIndication><Identity>", 1),
		"a priority of words":    wrap("<InitialFilterCriteria><Priority>high</Priority></InitialFilterCriteria>"),
		"a session case of words": wrap("<InitialFilterCriteria><TriggerPoint><SPT><SessionCase>ORIGINATING</SessionCase></SPT></TriggerPoint>" +
			"</InitialFilterCriteria>"),
		"too deep":          wrap(strings.Repeat("<x>", 40) + strings.Repeat("</x>", 40)),
		"too many criteria": wrap(strings.Repeat("<InitialFilterCriteria/>", maxCriteria+1)),
		"too large":         wrap("<x>" + strings.Repeat("y", maxDocument) + "</x>"),
	} {
		if s, err := Parse([]byte(document)); err == nil {
			t.Errorf("%s: read as %+v", name, s)
		} else if !errors.Is(err, errDocument) || len(err.Error()) > 1000 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ConditionTypeDNF is in no schema, and in documents of the field all the same: what is written again has the schema's words.
func TestConditionTypeDNFIsSettled(t *testing.T) {
	for dnf, cnf := range map[string]string{"1": "0", "0": "1"} {
		s, err := Parse(
			[]byte(
				"<IMSSubscription><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity><InitialFilterCriteria><TriggerPoint>" +
					"<ConditionTypeDNF>" + dnf +
					"</ConditionTypeDNF></TriggerPoint></InitialFilterCriteria></ServiceProfile></IMSSubscription>",
			),
		)
		if err != nil {
			t.Fatal(err)
		}
		written, err := s.Marshal()
		if err != nil || !strings.Contains(string(written), "<ConditionTypeCNF>"+cnf+"</ConditionTypeCNF>") ||
			strings.Contains(string(written), "DNF") {
			t.Errorf("DNF %s was written %s (%v)", dnf, written, err)
		}
	}
}

func TestCharsetReaderPassesErrorsOn(t *testing.T) {
	r, err := charset("latin1", iotest.ErrReader(os.ErrClosed))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
