package diameter_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fiorix/go-diameter/v4/diam/avp"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// wholeDictionary is the dictionary of the tests; making it takes longer than most of them.
var wholeDictionary = sync.OnceValues(func() (*diameter.Dictionary, error) {
	return diameter.NewDictionary(cx.Application, ro.Application, rx.Application, s6a.Application, sh.Application, swx.Application)
})

func dictionary(t testing.TB) *diameter.Dictionary {
	t.Helper()

	d, err := wholeDictionary()
	if err != nil {
		t.Fatal(err)
	}

	return d
}

// wiresharkDictionaries are the files of Debian's libwireshark-data with tshark's Diameter dictionary.
const wiresharkDictionaries = "/usr/share/wireshark/diameter/*.xml"

type wiresharkAVP struct {
	name, kind, mandatory string
}

type wiresharkKey struct{ code, vendor uint32 }

// wireshark reads all its AVPs. Some codes have two meanings: the result has each.
func wireshark(t *testing.T) map[wiresharkKey][]wiresharkAVP {
	t.Helper()

	files, err := filepath.Glob(wiresharkDictionaries)
	if err != nil || len(files) == 0 {
		t.Fatalf("no Diameter dictionaries of Wireshark (package libwireshark-data): %v", err)
	}

	vendors, avps := map[string]uint32{}, map[string][]wiresharkAVP{}

	for _, name := range files {
		readWireshark(t, name, vendors, avps)
	}

	known := map[wiresharkKey][]wiresharkAVP{}

	for key, uses := range avps {
		text, vendor, _ := strings.Cut(key, " ")

		code, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}

		if number, found := vendors[vendor]; found || vendor == "" {
			known[wiresharkKey{uint32(code), number}] = append(known[wiresharkKey{uint32(code), number}], uses...)
		}
	}

	return known
}

// readWireshark reads one file, which is no whole document by itself: others include it.
func readWireshark(t *testing.T, name string, vendors map[string]uint32, avps map[string][]wiresharkAVP) {
	t.Helper()

	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	decoder := xml.NewDecoder(file)
	decoder.Strict = false
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }

	var (
		at  string
		use wiresharkAVP
	)

	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}

		element, ok := token.(xml.StartElement)
		if !ok {
			if end, ok := token.(xml.EndElement); ok && end.Name.Local == "avp" {
				avps[at] = append(avps[at], use)
			}

			continue
		}

		attribute := func(name string) string {
			for _, a := range element.Attr {
				if a.Name.Local == name {
					return a.Value
				}
			}

			return ""
		}

		switch element.Name.Local {
		case "vendor":
			code, _ := strconv.ParseUint(attribute("code"), 10, 32)
			vendors[attribute("vendor-id")] = uint32(code)
		case "avp":
			at = attribute("code") + " " + attribute("vendor-id")
			use = wiresharkAVP{name: attribute("name"), mandatory: attribute("mandatory")}
		case "type":
			use.kind = attribute("type-name")
		case "grouped":
			use.kind = "Grouped"
		}
	}
}

// shape returns the form of a type's values on the wire.
func shape(kind string) string {
	switch kind {
	case "OctetString", "OctetStringOrUTF8", "UTF8String", "DiameterIdentity", "DiameterURI", "IPFilterRule", "QoSFilterRule":
		return "octets"
	case "Unsigned32", "Integer32", "Enumerated", "AppId", "VendorId":
		return "4 octets"
	case "Unsigned64", "Integer64":
		return "8 octets"
	case "IPAddress":
		return "Address"
	default:
		return kind
	}
}

// plain removes from a name what the two dictionaries write differently.
func plain(name string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.TrimPrefix(strings.ToLower(name), "3gpp-"))
}

// differences lists where the specification and Wireshark differ, or Wireshark lacks an AVP.
var differences = []struct {
	why    string
	what   string // name, type, M bit, unknown
	vendor uint32
	codes  []uint32
}{
	{"named as Wireshark's filters have it", "name", cx.VendorID, []uint32{606, 634, 702, 2031, 2603, 2604, 2605, 3416, 1301, 1303}},
	{
		"TS 29.229 table 6.3.1: what came after Release 5 must not have the M bit",
		"M bit",
		cx.VendorID,
		[]uint32{628, 629, 630, 631, 632, 634, 653, 654, 655, 657, 658},
	},
	{"TS 29.229 Release 16", "unknown", cx.VendorID, span(659, 667)},
	{"RFC 4005 §6.11.1: four octets without an address family", "type", 0, []uint32{8}},
	{"TS 29.061 table 9a: four octets without an address family", "type", ro.VendorID, []uint32{4, 6, 7, 924}},
	{"TS 29.061 tables 9a and 20.5a.1", "M bit", ro.VendorID, append([]uint32{4, 6, 7, 11, 24, 25, 26, 27, 29}, span(929, 934)...)},
	{"TS 29.212 table 5.3.0.1, TS 29.214 table 5.3.0.1", "M bit", ro.VendorID, []uint32{1034, 1046, 1047, 1048, 528, 530, 531, 532}},
	{"TS 32.299 table 7.2.0.1", "type", ro.VendorID, []uint32{2101, 2708, 3423}},
	{"TS 32.299 Release 11 to 15", "unknown", ro.VendorID, slices.Concat(
		[]uint32{1300, 1315, 1316, 1317, 1318, 2322, 2323, 2701, 2702, 3926, 3927, 3928, 3929}, span(1320, 1322), span(3441, 3468))},
	{"TS 29.214 Release 15 to 17, TS 29.212 Release 13", "unknown", rx.VendorID, append([]uint32{549, 2843}, span(565, 581)...)},
	{
		"TS 29.329 table 6.3.1: what came after Release 5 must not have the M bit",
		"M bit",
		sh.VendorID,
		append([]uint32{708, 709, 710}, span(713, 719)...),
	},
	{"TS 29.329 Release 12", "unknown", sh.VendorID, span(720, 722)},
	{"RFC 8506 §12.1: new against RFC 4006", "unknown", 0, span(653, 669)},
}

func span(from, to uint32) (codes []uint32) {
	for code := from; code <= to; code++ {
		codes = append(codes, code)
	}

	return codes
}

func excused(a diameter.Attribute, what string) bool {
	for _, d := range differences {
		if d.what == what && d.vendor == a.Vendor && slices.Contains(d.codes, a.Code) {
			return true
		}
	}

	return false
}

func TestDictionariesAgreeWithWireshark(t *testing.T) {
	known, d := wireshark(t), dictionary(t)

	for _, application := range []diameter.Application{
		{Name: "Base"}, cx.Application, ro.Application, rx.Application, s6a.Application, sh.Application, swx.Application,
	} {
		for _, a := range d.Attributes(application.ID) {
			uses := known[wiresharkKey{a.Code, a.Vendor}]
			some := func(what string, agrees func(wiresharkAVP) bool) {
				if !slices.ContainsFunc(uses, agrees) && !excused(a, what) {
					t.Errorf("%s: %+v: %s: Wireshark has %v", application.Name, a, what, uses)
				}
			}

			if len(uses) == 0 {
				some("unknown", func(wiresharkAVP) bool { return false })
				continue
			}

			some("name", func(use wiresharkAVP) bool { return plain(use.name) == plain(a.Name) })
			some("type", func(use wiresharkAVP) bool { return shape(use.kind) == shape(a.Type) })
			some("M bit", func(use wiresharkAVP) bool {
				switch use.mandatory {
				case "must":
					return a.Flags&avp.Mbit != 0
				case "mustnot":
					return a.Flags&avp.Mbit == 0
				default:
					return true
				}
			})
		}
	}
}

// TestRxDictionaryIsComplete: Rx has all AVPs of TS 29.214, except 506 and 508, which Release 7 withdrew, and 514, which nobody uses.
func TestRxDictionaryIsComplete(t *testing.T) {
	var codes []uint32
	for _, a := range dictionary(t).Attributes(rx.Application.ID) {
		if a.Vendor == rx.VendorID {
			codes = append(codes, a.Code)
		}
	}

	for _, code := range span(500, 581) {
		if code != 506 && code != 508 && code != 514 && !slices.Contains(codes, code) {
			t.Errorf("AVP %d is missing", code)
		}
	}
}

// TestCxDictionaryIsComplete: the whole range of TS 29.229 is there, so that no AVP of Cx with the M bit is refused as unknown.
func TestCxDictionaryIsComplete(t *testing.T) {
	var codes []uint32
	for _, a := range dictionary(t).Attributes(cx.Application.ID) {
		if a.Vendor == cx.VendorID {
			codes = append(codes, a.Code)
		}
	}

	for _, code := range span(600, 667) {
		if code != 627 && !slices.Contains(codes, code) { // withdrawn in Release 6
			t.Errorf("AVP %d is missing", code)
		}
	}
}
