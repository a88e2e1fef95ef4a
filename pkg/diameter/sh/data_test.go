package sh_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// part is an element in the content of another one: how often it may stand there, and what it holds.
type part struct {
	tag  string
	most int // 0: any number
	of   string
	need bool
}

// schema is TS 29.328 table D.2 for what the HSS writes, in the order of the tables, and table D.1 below it: types that hold text.
var schema = map[string][]part{
	"": {{"Sh-Data", 1, "tSh-Data", true}},
	"tSh-Data": {
		{
			"PublicIdentifiers",
			1,
			"tPublicIdentity",
			false,
		},
		{"RepositoryData", 0, "tTransparentData", false},
		{"Sh-IMS-Data", 1, "tShIMSData", false},
		{"Extension", 1, "tSh-Data-Extension", false},
	},
	"tSh-Data-Extension":  {{"Extension", 1, "tSh-Data-Extension2", false}},
	"tSh-Data-Extension2": {{"DeletedIdentities", 1, "tPublicIdentity", false}, {"Extension", 1, "tSh-Data-Extension3", false}},
	"tSh-Data-Extension3": {{"Extension", 1, "tSh-Data-Extension4", false}},
	"tSh-Data-Extension4": {
		{"EPSUserState", 1, "tPSUserState", false},
		{"EPSLocationInformation", 1, "tEPSLocationInformation", false},
		{"Extension", 1, "tSh-Data-Extension5", false},
	},
	"tSh-Data-Extension5": {
		{"IMSI", 1, "tIMSI", false}, {"IMSPrivateUserIdentity", 0, "tString", false}, {"Extension", 1, "tSh-Data-Extension6", false},
	},
	"tSh-Data-Extension6": {{"IMEISV", 1, "tIMEISV", false}},
	"tPublicIdentity": {
		{"IMSPublicIdentity", 0, "tURI", false},
		{"MSISDN", 0, "tMSISDN", false},
		{"Extension", 1, "tPublicIdentityExtension", false},
	},
	"tPublicIdentityExtension": {
		{"IdentityType", 1, "tIdentityType", false},
		{"WildcardedPSI", 1, "tURI", false},
		{"Extension", 1, "tPublicIdentityExtension2", false},
	},
	"tPublicIdentityExtension2": {{"WildcardedIMPU", 1, "tURI", false}},
	"tTransparentData": {
		{"ServiceIndication", 1, "tString", true},
		{"SequenceNumber", 1, "tSequenceNumber", true},
		{"ServiceData", 1, "any", false},
	},
	"tShIMSData": {
		{"SCSCFName", 1, "tString", false},
		{"IFCs", 1, "tIFCs", false},
		{"IMSUserState", 1, "tIMSUserState", false},
		{"ChargingInformation", 1, "tChargingInformation", false},
	},
	"tIFCs": {{"InitialFilterCriteria", 0, "tInitialFilterCriteria", false}},
	"tInitialFilterCriteria": {
		{"Priority", 1, "tNumber", true},
		{"TriggerPoint", 1, "tTrigger", false},
		{"ApplicationServer", 1, "tApplicationServer", true},
		{"ProfilePartIndicator", 1, "tNumber", false},
	},
	"tTrigger": {{"ConditionTypeCNF", 1, "tNumber", true}, {"SPT", 0, "tSePoTri", true}},
	"tSePoTri": {
		{"ConditionNegated", 1, "tNumber", false},
		{"Group", 0, "tNumber", true},
		{"Method", 1, "tString", true},
	},
	"tApplicationServer":                {{"ServerName", 1, "tURI", true}, {"DefaultHandling", 1, "tNumber", false}},
	"tEPSLocationInformation":           {{"MMEName", 1, "tString", false}, {"Extension", 1, "tEPSLocationInformation-Extension", false}},
	"tEPSLocationInformation-Extension": {{"VisitedPLMNID", 1, "tVisitedPLMNID", false}},
	"tChargingInformation": {
		{"PrimaryEventChargingFunctionName", 1, "tURI", false},
		{"SecondaryEventChargingFunctionName", 1, "tURI", false},
		{"PrimaryChargingCollectionFunctionName", 1, "tURI", false},
		{"SecondaryChargingCollectionFunctionName", 1, "tURI", false},
	},
}

func within(text string, least, most int) bool {
	number, err := strconv.Atoi(text)

	return err == nil && number >= least && number <= most
}

func digits(text string, lengths ...int) bool {
	return slices.Contains(lengths, len(text)) && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

var texts = map[string]func(string) bool{
	"tString":         func(string) bool { return true },
	"tURI":            func(s string) bool { return strings.Contains(s, ":") },
	"tNumber":         func(s string) bool { return within(s, 0, 1000) },
	"tMSISDN":         func(s string) bool { return digits(s, 3, 8, 15) },
	"tIMSI":           func(s string) bool { return digits(s, 14, 15) },
	"tIMEISV":         func(s string) bool { return digits(s, 14, 16) },
	"tVisitedPLMNID":  func(s string) bool { return digits(s, 5, 6) },
	"tIdentityType":   func(s string) bool { return within(s, 0, 3) },
	"tSequenceNumber": func(s string) bool { return within(s, 0, 65535) },
	"tIMSUserState":   func(s string) bool { return within(s, 0, 3) },
	"tPSUserState":    func(s string) bool { return within(s, 0, 6) },
}

// valid checks the content of an element, up to its end, against the schema.
func valid(decoder *xml.Decoder, kind string) error {
	var (
		text strings.Builder
		at   int
		seen int
	)

	parts, complex := schema[kind]

	for {
		token, err := decoder.Token()
		if err != nil && !(errors.Is(err, io.EOF) && kind == "") {
			return err
		}

		_, end := token.(xml.EndElement)

		switch t := token.(type) {
		case xml.StartElement:
			if kind == "any" {
				if err := decoder.Skip(); err != nil {
					return err
				}

				continue
			}

			for at < len(parts) && parts[at].tag != t.Name.Local {
				if parts[at].need && seen == 0 {
					return fmt.Errorf("%s: %s where %s is needed", kind, t.Name.Local, parts[at].tag)
				}

				at, seen = at+1, 0
			}

			if at == len(parts) {
				return fmt.Errorf("%s: %s has no place, or not this one", kind, t.Name.Local)
			}

			if seen++; parts[at].most > 0 && seen > parts[at].most {
				return fmt.Errorf("%s: %s stands too often", kind, t.Name.Local)
			}

			if err := valid(decoder, parts[at].of); err != nil {
				return err
			}
		case xml.CharData:
			text.Write(t)
		}

		if !end && err == nil {
			continue
		}

		for ; at < len(parts); at, seen = at+1, 0 {
			if parts[at].need && seen == 0 {
				return fmt.Errorf("%s: %s is missing", kind, parts[at].tag)
			}
		}

		switch is := texts[kind]; {
		case kind == "any":
		case complex && strings.TrimSpace(text.String()) != "":
			return fmt.Errorf("%s: it has the text %q", kind, text.String())
		case !complex && is == nil:
			return fmt.Errorf("%s is no type of the schema", kind)
		case !complex && !is(text.String()):
			return fmt.Errorf("%s: %q is none", kind, text.String())
		}

		return nil
	}
}

// documents has everything that an HSS writes.
func documents() map[string]*sh.Data {
	one, empty, method := 1, "", "INVITE"
	cnf := ifc.Bool(1)

	return map[string]*sh.Data{
		"nothing":    {},
		"identities": {Identifiers: &sh.Identifiers{Identities: []string{"sip:a@b", "tel:+1"}, MSISDNs: []string{"15550001"}}},
		"a service": {
			Identifiers: &sh.Identifiers{Identities: []string{"sip:a@b"}, Extension: &sh.IdentifiersExtension{IdentityType: sh.DistinctPSI}},
		},
		"a wildcarded one": {
			Identifiers: &sh.Identifiers{
				Identities: []string{"sip:a@b"},
				Extension:  &sh.IdentifiersExtension{IdentityType: 2, WildcardedPSI: "sip:!.*!@b"},
			},
		},
		"a wildcarded user": {Identifiers: &sh.Identifiers{Extension: &sh.IdentifiersExtension{IdentityType: 3, WildcardedIMPU: &method2}}},
		"repository data": {Repository: []sh.RepositoryData{
			{
				ServiceIndication: "a & b",
				SequenceNumber:    65535,
				ServiceData:       []byte("<ServiceData><x y='z'>text</x></ServiceData>"),
			}, {ServiceIndication: "gone"},
		}},
		"IMS": {IMS: &sh.IMSData{
			SCSCFName: &empty, IFCs: &sh.IFCs{Criteria: []ifc.InitialFilterCriterion{{
				Priority: 1, TriggerPoint: &ifc.TriggerPoint{ConditionTypeCNF: &cnf, SPTs: []ifc.SPT{{Groups: []int{0}, Method: &method}}},
				ApplicationServer: ifc.ApplicationServer{ServerName: "sip:as"}, ProfilePartIndicator: &one,
			}}}, UserState: &one, Charging: &sh.ChargingInformation{PrimaryEvent: "aaa://a", SecondaryCollection: "aaa://b"},
		}},
		"no criteria": {IMS: &sh.IMSData{IFCs: &sh.IFCs{}}},
		"deleted":     {Deleted: []string{"sip:a@b"}},
		"EPS":         {EPSUserState: &one, EPSLocation: &sh.EPSLocation{MMEName: "mme", PLMN: "00101"}},
		"SIM":         {IMSI: "001010000000001", PrivateIdentities: []string{"a@b", "c@d"}, IMEISV: "3569380356438042"},
		"all extensions": {
			Deleted: []string{"sip:a@b"}, EPSUserState: &one, IMEISV: "35693803564380", PrivateIdentities: []string{"a@b"},
		},
	}
}

var method2 = "sip:!.*!@b"

// TestDocumentsFollowTheSchema: what is written follows TS 29.328 annex D, order and extensions included.
func TestDocumentsFollowTheSchema(t *testing.T) {
	for name, data := range documents() {
		document, err := data.Marshal()
		if err != nil {
			t.Fatal(err)
		}

		if err := valid(xml.NewDecoder(bytes.NewReader(document)), ""); err != nil {
			t.Errorf("%s: %v in\n%s", name, err, document)
		}
	}

	for _, wrong := range []string{ // the test can fail
		"<Sh-Data><Sh-IMS-Data/><PublicIdentifiers/></Sh-Data>", "<Sh-Data><EPSUserState>0</EPSUserState></Sh-Data>",
		"<Sh-Data><RepositoryData><SequenceNumber>0</SequenceNumber></RepositoryData></Sh-Data>", "<Sh-Data>text</Sh-Data>",
		"<Sh-Data><Sh-IMS-Data><IMSUserState>4</IMSUserState></Sh-IMS-Data></Sh-Data>", "<Other/>",
	} {
		if valid(xml.NewDecoder(strings.NewReader(wrong)), "") == nil {
			t.Errorf("it is taken for valid: %s", wrong)
		}
	}
}

// FuzzParseUpdate: whatever an application server writes is refused or can be given back, and means the same then.
func FuzzParseUpdate(f *testing.F) {
	const begin = "<Sh-Data><RepositoryData><ServiceIndication>s</ServiceIndication><SequenceNumber>"

	for _, document := range []string{
		begin + "0</SequenceNumber><ServiceData><a/></ServiceData></RepositoryData></Sh-Data>",
		`<x:Sh-Data xmlns:x="urn:x"><x:RepositoryData><x:ServiceIndication>s</x:ServiceIndication><x:SequenceNumber>1</x:SequenceNumber>` +
			`<x:ServiceData><y:a xmlns:y="urn:y" x:b="c">&lt;</y:a></x:ServiceData></x:RepositoryData></x:Sh-Data>`,
		begin + "70000</SequenceNumber></RepositoryData></Sh-Data>",
		"<!DOCTYPE a [<!ENTITY b 'c'>]><Sh-Data/>", "<Sh-Data>", "", "text", strings.Repeat("<a>", 100),
		begin + "0</SequenceNumber><ServiceData><![CDATA[<]]></ServiceData></RepositoryData></Sh-Data>more",
	} {
		f.Add([]byte(document))
	}

	f.Fuzz(func(t *testing.T, document []byte) {
		data, err := sh.ParseUpdate(document)
		if err != nil {
			return
		}

		written, err := (&sh.Data{Repository: data}).Marshal()
		if err != nil {
			t.Fatalf("%v of %q", err, document)
		}

		again, err := sh.ParseUpdate(written)
		if err != nil || len(again) != len(data) {
			t.Fatalf("%q became %q: %v", document, written, err)
		}

		for i := range data {
			if again[i].SequenceNumber != data[i].SequenceNumber || (again[i].ServiceData == nil) != (data[i].ServiceData == nil) {
				t.Errorf("%q became %q", document, written)
			}
		}
	})
}

// TestNamespacesDoNotMultiply: prefixes are written out where they are used, which must not make much of little.
func TestNamespacesDoNotMultiply(t *testing.T) {
	const before = "<Sh-Data><RepositoryData><ServiceIndication>a</ServiceIndication><SequenceNumber>0</SequenceNumber><ServiceData "

	for name, test := range map[string]struct {
		octets, times int
		element       string
		refused       bool
	}{
		"a usual one":              {200, 100, "<p:b/>", false},
		"a long one":               {30_000, 1000, "<p:b/>", true},
		"a long one of attributes": {30_000, 1000, "<b p:c='1'/>", true},
		"a usual one, too often":   {200, 10_000, "<p:b/>", true},
	} {
		t.Run(name, func(t *testing.T) {
			document := before + "xmlns:p='" + strings.Repeat("n", test.octets) + "'>" + strings.Repeat(test.element, test.times) +
				"</ServiceData></RepositoryData></Sh-Data>"

			data, err := sh.ParseUpdate([]byte(document))
			if (err != nil) != test.refused {
				t.Errorf("%d octets: %v", len(document), err)
			}

			if len(data) > 0 && len(data[0].ServiceData) > 1<<20 {
				t.Errorf("%d octets became %d", len(document), len(data[0].ServiceData))
			}
		})
	}
}

// TestNumber: TBCD (TS 29.002 §17.7.8).
func TestNumber(t *testing.T) {
	for octets, want := range map[string]string{
		"\x51\x55\x00\x10": "15550001", "\x51\xF5": "155", "\x51\xF5\x00": "", "\xAB": "", "": "", "\x1F": "",
	} {
		if got, valid := sh.Number([]byte(octets)); valid != (want != "") || valid && got != want {
			t.Errorf("%x is %q, %v, want %q", octets, got, valid, want)
		}
	}
}
