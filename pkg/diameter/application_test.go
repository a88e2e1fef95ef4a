package diameter_test

import (
	"bytes"
	"testing"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// TestAuthApplicationID: a CCR names credit control in Auth-Application-Id (RFC 8506 §3.1). Some send it in a
// Vendor-Specific-Application-Id, as Kamailio does, and mean the same.
func TestAuthApplicationID(t *testing.T) {
	wire, err := diameter.NewDictionary(ro.Application)
	if err != nil {
		t.Fatal(err)
	}
	id := func(n uint32) *diam.AVP {
		return diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(n))
	}
	group := func(parts ...*diam.AVP) *diam.AVP {
		vendor := diam.NewAVP(avp.VendorID, avp.Mbit, 0, datatype.Unsigned32(ro.VendorID))
		return diam.NewAVP(avp.VendorSpecificApplicationID, avp.Mbit, 0, &diam.GroupedAVP{AVP: append([]*diam.AVP{vendor}, parts...)})
	}

	for name, test := range map[string]struct {
		avps   []*diam.AVP
		want   diameter.Result // none: it is accepted
		failed uint32
	}{
		"credit control":                     {[]*diam.AVP{id(4)}, diameter.Result{}, 0},
		"as a vendor's":                      {[]*diam.AVP{group(id(4))}, diameter.Result{}, 0},
		"both":                               {[]*diam.AVP{id(4), group(id(4))}, diameter.Result{}, 0},
		"none":                               {nil, diameter.MissingAVP, avp.AuthApplicationID},
		"a vendor's without an application":  {[]*diam.AVP{group()}, diameter.MissingAVP, avp.AuthApplicationID},
		"another":                            {[]*diam.AVP{id(16777216)}, diameter.InvalidAVPValue, avp.AuthApplicationID},
		"another as a vendor's":              {[]*diam.AVP{group(id(16777216))}, diameter.InvalidAVPValue, avp.VendorSpecificApplicationID},
		"the right one, and another as well": {[]*diam.AVP{id(4), id(5)}, diameter.InvalidAVPValue, avp.AuthApplicationID},
	} {
		t.Run(name, func(t *testing.T) {
			q := &ro.CCR{ServiceContextID: ro.ServiceContextIMS, Type: ro.Initial}
			q.SessionID, q.OriginHost, q.OriginRealm, q.DestinationRealm = "s", "nf.example", "example", "example"
			m, err := wire.Encode(q)
			if err != nil {
				t.Fatal(err)
			}
			m.AVP = append(append([]*diam.AVP{m.AVP[0]}, test.avps...), m.AVP[2:]...) // behind Session-Id stands ours
			m.Header.MessageLength = uint32(m.Len())
			octets, err := m.Serialize()
			if err != nil {
				t.Fatal(err)
			}
			came, _, err := wire.Read(bytes.NewReader(octets), 1<<16)
			if err != nil {
				t.Fatal(err)
			}

			err = wire.Decode(came, new(ro.CCR))
			if test.want == (diameter.Result{}) {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refusal := diameter.ResultOf(err)
			failed, err := wire.Refuse(came, refusal, diameter.Identity{Host: "ocs.example", Realm: "example"}).FindAVP(avp.FailedAVP, 0)
			if err != nil || refusal.Result != test.want {
				t.Fatalf("%+v, %v, want %v", refusal, err, test.want)
			}
			if at := failed.Data.(*diam.GroupedAVP).AVP; len(at) != 1 || at[0].Code != test.failed {
				t.Errorf("Failed-AVP %v, want AVP %d", at, test.failed)
			}
		})
	}
}
