package procedure

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TS 29.228 §6.1.2: an S-CSCF gets back to the octet what it stored, whatever that is; and whatever can be read from the database can be
// sent.
func FuzzRestoration(f *testing.F) {
	f.Add("a@home", []byte("<sip:p;lr>"), []byte("sip:\xff@x"), []byte("c\x00"), uint32(1), int64(1_800_000_000), true, []byte(`{}`))
	f.Add("", []byte{}, []byte(nil), []byte("\u2028"), uint32(0), int64(0), false, []byte(`{"Info":[{"Path":"","Subscription":{}}]}`))
	f.Add("a", []byte{}, []byte{}, []byte{}, uint32(0), int64(0), false, []byte(`{"RegistrationTimeOut":"9999-12-31T00:00:00Z","Info":[{}]}`))

	dictionary, err := diameter.NewDictionary(cx.Application)
	if err != nil {
		f.Fatal(err)
	}

	features := []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: cx.FeatureRestoration}}

	f.Fuzz(func(t *testing.T, user string, path, contact, call []byte, number uint32, ends int64, subscribed bool, stored []byte) {
		given := cx.SCSCFRestorationInfo{
			UserName: user, Info: []cx.RestorationInfo{{Path: path, Contact: contact, InitialCSeq: &number, CallID: call}},
		}
		if ends > 0 {
			given.RegistrationTimeOut = time.Unix(ends%(1<<32), 0).UTC()
		}

		if subscribed {
			given.Info[0].Subscription = &cx.SubscriptionInfo{CallID: call, From: path, To: contact, RecordRoute: path, Contact: contact}
		}

		private := &subscriber.PrivateIdentity{Identity: "a@home"}
		registration := &subscriber.Registration{Private: private, Registered: true}
		who := identities{Private: private, Set: &subscriber.RegistrationSet{Registrations: []*subscriber.Registration{registration}}}

		sar := &cx.SAR{Type: cx.AssignRegistration, RestorationInfo: &given}
		sar.SupportedFeatures = features

		got := sent(t, dictionary, sar) // what the HSS reads of it
		if got == nil {
			return
		}

		if err := storeRestoration(who, got); err != nil {
			t.Fatal(err)
		}

		back, err := restoration(assignment{Restored: who.Set.Registrations}, got)
		if err != nil || len(back) != 1 || !cmp.Equal(back[0], *got.RestorationInfo) {
			t.Fatalf("%v: %s", err, cmp.Diff(back, got.RestorationInfo))
		}

		registration.Restoration = stored

		if back, err = restoration(assignment{Restored: who.Set.Registrations}, got); err == nil {
			_, _ = dictionary.Encode(&cx.SAA{RestorationInfo: back})
		}
	})
}

// sent returns a request as the other side parses it; nil: it cannot be sent, or be parsed.
func sent(t *testing.T, d *diameter.Dictionary, q *cx.SAR) *cx.SAR {
	t.Helper()

	m, err := d.Encode(q)
	if err != nil {
		return nil
	}

	read := new(cx.SAR)
	if err := d.Decode(m, read); err != nil || read.RestorationInfo == nil {
		return nil
	}

	return read
}
