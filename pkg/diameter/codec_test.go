package diameter_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

func dictionary(t testing.TB) *diameter.Dictionary {
	t.Helper()

	d, err := diameter.NewDictionary(cx.Application, ro.Application)
	if err != nil {
		t.Fatal(err)
	}

	return d
}

func ptr[T any](v T) *T { return &v }

func request() diameter.RequestHeader {
	return diameter.RequestHeader{
		SessionID: "scscf.example;1;2", OriginHost: "scscf.example", OriginRealm: "example", DestinationRealm: "example",
	}
}

func messages() map[string]diameter.Commander {
	header := cx.RequestHeader{
		RequestHeader:     request(),
		SupportedFeatures: []cx.SupportedFeatures{{VendorID: 10415, FeatureListID: 1, FeatureList: 1}},
	}
	answer := func(result diameter.Result) cx.AnswerHeader {
		return cx.AnswerHeader{AnswerHeader: diameter.AnswerHeader{
			SessionID: "scscf.example;1;2", Result: result, OriginHost: "hss.example", OriginRealm: "example",
		}}
	}

	return map[string]diameter.Commander{
		"UAR": &cx.UAR{RequestHeader: header, UserName: "user@example", PublicIdentity: "sip:user@example", VisitedNetwork: "example", Type: cx.DeRegistration, Flags: cx.EmergencyRegistration},
		"UAA": &cx.UAA{AnswerHeader: answer(cx.FirstRegistration), Capabilities: &cx.Capabilities{Mandatory: []uint32{0, 1}, Optional: []uint32{7}, ServerNames: []string{"sip:scscf.example"}}},
		"SAR": &cx.SAR{RequestHeader: header, UserName: "user@example", PublicIdentities: []string{"sip:user@example", "tel:+1"}, ServerName: "sip:scscf.example", Type: cx.NoAssignment, DataAlreadyAvailable: cx.UserDataNotAvailable, MultipleRegistration: ptr[uint32](0)},
		"SAA": &cx.SAA{AnswerHeader: answer(cx.Success), UserData: []byte("<IMSSubscription/>"), ChargingInformation: &cx.ChargingInformation{PrimaryEventChargingFunction: "aaa://ocs.example:3868"}, AssociatedIdentities: &cx.AssociatedIdentities{UserNames: []string{"other@example"}}},
		"LIR": &cx.LIR{RequestHeader: header, PublicIdentity: "tel:+1", OriginatingRequest: ptr[uint32](0)},
		"LIA": &cx.LIA{AnswerHeader: answer(cx.UnregisteredService), ServerName: "sip:scscf.example"},
		"MAR": &cx.MAR{RequestHeader: header, UserName: "user@example", PublicIdentity: "sip:user@example", AuthDataItem: cx.AuthDataItem{Scheme: cx.SchemeDigestAKAv1MD5, Authorization: bytes.Repeat([]byte{7}, 30)}, NumberOfAuthVectors: 3, ServerName: "sip:scscf.example"},
		"MAA": &cx.MAA{AnswerHeader: answer(cx.Success), UserName: "user@example", NumberOfAuthVectors: 1, AuthDataItems: []cx.AuthDataItem{{
			ItemNumber: ptr[uint32](1), Scheme: cx.SchemeDigestAKAv1MD5, Authenticate: make([]byte, 32), Authorization: make([]byte, 8), ConfidentialityKey: make([]byte, 16), IntegrityKey: make([]byte, 16),
			Digest: &cx.DigestAuthenticate{Realm: "example", Algorithm: "MD5", QoP: "auth", HA1: "0123"},
		}}},
		"RTR": &cx.RTR{RequestHeader: header, UserName: "user@example", Reason: cx.DeregistrationReason{Code: cx.PermanentTermination, Info: "gone"}},
		"PPR": &cx.PPR{RequestHeader: header, UserName: "user@example", UserData: []byte("<x/>")},
		"CCR": &ro.CCR{
			RequestHeader: request(), ServiceContextID: ro.ServiceContextIMS, Type: ro.Update, Number: 1,
			EventTimestamp: time.Unix(1_700_000_000, 0), Subscriptions: []ro.SubscriptionID{{Type: ro.E164, Data: "15551234"}},
			MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{{
				Requested: &ro.ServiceUnit{}, Used: []ro.ServiceUnit{{Time: ptr[uint32](0), TotalOctets: ptr[uint64](1 << 40)}}, RatingGroup: ptr[uint32](100),
			}},
			ServiceInformation: &ro.ServiceInformation{IMS: &ro.IMSInformation{NodeFunctionality: ro.NodeSCSCF, EventType: &ro.EventType{SIPMethod: "INVITE"}, UserSessionID: "call", CauseCode: ptr[int32](-1), TimeStamps: &ro.TimeStamps{Request: time.Unix(1_700_000_000, 0)}}},
		},
		"CCA": &ro.CCA{
			AnswerHeader: diameter.AnswerHeader{SessionID: "s", Result: ro.Success, OriginHost: "ocs.example", OriginRealm: "example"}, Type: ro.Update, Number: 1,
			MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: ptr[uint32](300)}, ResultCode: ptr[uint32](2001), FinalUnitIndication: &ro.FinalUnitIndication{Action: ro.FinalTerminate}}},
			CostInformation:               &ro.CostInformation{Value: ro.UnitValue{Digits: -5, Exponent: ptr[int32](-2)}, Currency: 978},
		},
	}
}

// wire encodes, serialises, reads back through the guard and decodes.
func wire(t testing.TB, d *diameter.Dictionary, sent, got diameter.Commander) error {
	t.Helper()

	m, err := d.Encode(sent)
	if err != nil {
		t.Fatal(err)
	}

	raw, err := m.Serialize()
	if err != nil {
		t.Fatal(err)
	}

	back, _, err := d.Read(bytes.NewReader(raw), 1<<16)
	if err != nil {
		return err
	}

	return d.Decode(back, got)
}

func TestTypedMessagesSurviveTheWire(t *testing.T) {
	empty := map[string]diameter.Commander{
		"UAR": &cx.UAR{}, "UAA": &cx.UAA{}, "SAR": &cx.SAR{}, "SAA": &cx.SAA{}, "LIR": &cx.LIR{}, "LIA": &cx.LIA{},
		"MAR": &cx.MAR{}, "MAA": &cx.MAA{}, "RTR": &cx.RTR{}, "PPR": &cx.PPR{}, "CCR": &ro.CCR{}, "CCA": &ro.CCA{},
	}

	for name, sent := range messages() {
		t.Run(name, func(t *testing.T) {
			got := empty[name]
			if err := wire(t, dictionary(t), sent, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sent, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name   string
		sent   *cx.SAR
		result diameter.Result
	}{
		{"RFC 6733 §7.1.5 an enumerated value that is none: 5004", &cx.SAR{RequestHeader: cx.RequestHeader{RequestHeader: request()}, ServerName: "s", Type: 99}, diameter.InvalidAVPValue},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := wire(t, dictionary(t), test.sent, new(cx.SAR))

			var refusal *diameter.Error
			if !errors.As(err, &refusal) || refusal.Result != test.result || len(refusal.Failed) != 1 {
				t.Errorf("got %v, want %v with the AVP at fault", err, test.result)
			}
		})
	}

	t.Run("RFC 6733 §7.1.5 a required AVP is missing: 5005", func(t *testing.T) {
		d := dictionary(t)
		m, err := d.Encode(&cx.LIR{RequestHeader: cx.RequestHeader{RequestHeader: request()}, PublicIdentity: "x"})
		if err != nil {
			t.Fatal(err)
		}
		m.DeleteAVP(601, 10415)

		var refusal *diameter.Error
		if err := d.Decode(m, new(cx.LIR)); !errors.As(err, &refusal) || refusal.Result != diameter.MissingAVP || refusal.Failed[0].Code != 601 {
			t.Errorf("got %v, want 5005 with Public-Identity", err)
		}
	})

	t.Run("RFC 6733 §7.1.5 an AVP twice: 5009", func(t *testing.T) {
		d := dictionary(t)
		m, err := d.Encode(&cx.LIR{RequestHeader: cx.RequestHeader{RequestHeader: request()}, PublicIdentity: "x"})
		if err != nil {
			t.Fatal(err)
		}
		m.AddAVP(m.AVP[len(m.AVP)-1])

		var refusal *diameter.Error
		if err := d.Decode(m, new(cx.LIR)); !errors.As(err, &refusal) || refusal.Result != diameter.AVPOccursTooManyTimes {
			t.Errorf("got %v, want 5009", err)
		}
	})
}

func FuzzRead(f *testing.F) {
	d := dictionary(f)

	for _, sent := range messages() {
		m, err := d.Encode(sent)
		if err != nil {
			f.Fatal(err)
		}

		raw, err := m.Serialize()
		if err != nil {
			f.Fatal(err)
		}

		f.Add(raw)
	}

	f.Add([]byte{1, 0, 0, 4, 0x80, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})                                           // shorter than a header
	f.Add([]byte{1, 0, 0, 28, 0x80, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 0x40, 0, 0, 200})             // AVP length lies
	f.Add([]byte{1, 0, 0, 32, 0x80, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 12, 0x40, 0, 0, 10, 0, 0, 0, 0}) // short Unsigned32

	f.Fuzz(func(_ *testing.T, raw []byte) {
		m, _, err := d.Read(bytes.NewReader(raw), 1<<16)
		if err != nil {
			return
		}

		for _, into := range []diameter.Commander{&cx.UAR{}, &cx.SAR{}, &cx.MAA{}, &cx.SAA{}, &cx.RTR{}, &ro.CCR{}, &ro.CCA{}} {
			_ = d.Decode(m, into)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	d := dictionary(b)

	for name, sent := range messages() {
		m, err := d.Encode(sent)
		if err != nil {
			b.Fatal(err)
		}

		raw, err := m.Serialize()
		if err != nil {
			b.Fatal(err)
		}

		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, _ := d.Encode(sent)
				_, _ = m.Serialize()
			}
		})
		b.Run("read/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = d.Read(bytes.NewReader(raw), 1<<16)
			}
		})
	}
}
