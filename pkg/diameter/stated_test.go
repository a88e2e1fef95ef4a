package diameter_test

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TestErrorNamesAVPsOfTheDictionary: the AVPs of an Error must be in the dictionary: one that would be left out of Failed-AVP is noticed.
func TestErrorNamesAVPsOfTheDictionary(t *testing.T) {
	d, err := diameter.NewDictionary(cx.Application)
	if err != nil {
		t.Fatal(err)
	}

	request, err := d.Encode(&cx.LIR{PublicIdentity: "tel:+1"})
	if err != nil {
		t.Fatal(err)
	}

	defer func() {
		if recover() == nil {
			t.Error("an AVP that nobody knows was passed over")
		}
	}()

	d.Refuse(request, &diameter.Error{Result: diameter.MissingAVP, Failed: &struct {
		Nothing *string `avp:"No-Such-AVP"`
	}{new(string)}}, diameter.Identity{})
}
