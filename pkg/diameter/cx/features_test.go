package cx_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TestFeatures: a required feature that is missing is refused with those that are there; one only announced is not (TS 29.229 §7.2).
func TestFeatures(t *testing.T) {
	const ours = cx.FeatureSharedSets | cx.FeatureRestoration

	list := func(bits uint32, mandatory bool) cx.SupportedFeatures {
		return cx.SupportedFeatures{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: bits, Mandatory: mandatory}
	}
	other := list(1, true)
	other.FeatureListID = 2
	foreign := list(1, true)
	foreign.VendorID = 13019

	for _, test := range []struct {
		name    string
		asked   []cx.SupportedFeatures
		refused bool
		common  string
	}{
		{"none, as in Release 5", nil, false, "[]"},
		{"announced, and ours", []cx.SupportedFeatures{list(1, false)}, false, "[{10415 1 1 false}]"},
		{"announced, and partly ours", []cx.SupportedFeatures{list(0b1111, false)}, false, "[{10415 1 5 false}]"},
		{
			"announced, and of another list",
			[]cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 9, FeatureList: 1}},
			false,
			"[{10415 1 0 false}]",
		},
		{"required, and ours", []cx.SupportedFeatures{list(5, true)}, false, "[{10415 1 5 false}]"},
		{"required, and partly ours", []cx.SupportedFeatures{list(0b1101, true)}, true, ""},
		{"required of another list", []cx.SupportedFeatures{other}, true, ""},
		{"required by another vendor", []cx.SupportedFeatures{foreign}, true, ""},
		{"announced, and another one required", []cx.SupportedFeatures{list(0b1111, false), list(8, true)}, true, ""},
		{"required, and empty", []cx.SupportedFeatures{list(0, true)}, false, "[{10415 1 0 false}]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := cx.CheckFeatures(test.asked, ours)
			if (err != nil) != test.refused {
				t.Fatalf("%v, refused should be %v", err, test.refused)
			}
			if err == nil {
				if got := fmt.Sprint(cx.CommonFeatures(test.asked, ours)); got != test.common {
					t.Errorf("common are %s, want %s", got, test.common)
				}

				return
			}
			if e := diameter.ResultOf(err); e.Result != cx.ErrorFeatureUnsupported || fmt.Sprint(e.Further) != "&{[{10415 1 5 false}]}" {
				t.Errorf("%+v, want 5011 with our features", e)
			}
		})
	}
}

// TestMandatoryFeaturesOnTheWire: the M bit of Supported-Features is the sender's choice, and the only difference on the wire.
func TestMandatoryFeaturesOnTheWire(t *testing.T) {
	d, err := diameter.NewDictionary(cx.Application)
	if err != nil {
		t.Fatal(err)
	}

	for _, mandatory := range []bool{false, true} {
		q := &cx.LIR{PublicIdentity: "tel:+1"}
		q.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 1, Mandatory: mandatory}}
		m, err := d.Encode(q)
		if err != nil {
			t.Fatal(err)
		}
		octets, err := m.Serialize()
		if err != nil {
			t.Fatal(err)
		}

		flags := byte(0x80)
		if mandatory {
			flags |= 0x40
		}
		if !bytes.Contains(octets, []byte{0, 0, 2, 116, flags, 0, 0, 56, 0, 0, 0x28, 0xAF}) {
			t.Errorf("mandatory %v: no AVP 628 with flags %02x in\n%x", mandatory, flags, octets)
		}

		back, _, err := d.Read(bytes.NewReader(octets), 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		got := new(cx.LIR)
		if err := d.Decode(back, got); err != nil || got.SupportedFeatures[0].Mandatory != mandatory {
			t.Errorf("mandatory %v comes back as %+v, %v", mandatory, got.SupportedFeatures, err)
		}
	}
}
