package diameter_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

var update = flag.Bool("update", false, "write the golden messages anew")

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

	all := map[string]diameter.Commander{
		"UAR": &cx.UAR{
			RequestHeader:  header,
			UserName:       "user@example",
			PublicIdentity: "sip:user@example",
			VisitedNetwork: "example",
			Type:           cx.DeRegistration,
			Flags:          cx.EmergencyRegistration,
		},
		"UAA": &cx.UAA{
			AnswerHeader: answer(cx.FirstRegistration),
			Capabilities: &cx.Capabilities{Mandatory: []uint32{0, 1}, Optional: []uint32{7}, ServerNames: []string{"sip:scscf.example"}},
		},
		"SAR": &cx.SAR{
			RequestHeader:        header,
			UserName:             "user@example",
			PublicIdentities:     []string{"sip:user@example", "tel:+1"},
			ServerName:           "sip:scscf.example",
			Type:                 cx.NoAssignment,
			DataAlreadyAvailable: cx.UserDataNotAvailable,
			MultipleRegistration: ptr[uint32](0),
		},
		"SAA": &cx.SAA{
			AnswerHeader:         answer(cx.Success),
			UserData:             []byte("<IMSSubscription/>"),
			ChargingInformation:  &cx.ChargingInformation{PrimaryEventChargingFunction: "aaa://ocs.example:3868"},
			AssociatedIdentities: &cx.AssociatedIdentities{UserNames: []string{"other@example"}},
		},
		"LIR": &cx.LIR{RequestHeader: header, PublicIdentity: "tel:+1", OriginatingRequest: ptr[uint32](0)},
		"LIA": &cx.LIA{AnswerHeader: answer(cx.UnregisteredService), ServerName: "sip:scscf.example"},
		"MAR": &cx.MAR{
			RequestHeader:       header,
			UserName:            "user@example",
			PublicIdentity:      "sip:user@example",
			AuthDataItem:        cx.AuthDataItem{Scheme: cx.SchemeDigestAKAv1MD5, Authorization: bytes.Repeat([]byte{7}, 30)},
			NumberOfAuthVectors: 3,
			ServerName:          "sip:scscf.example",
		},
		"MAA": &cx.MAA{AnswerHeader: answer(cx.Success), UserName: "user@example", NumberOfAuthVectors: 1, AuthDataItems: []cx.AuthDataItem{{
			ItemNumber: ptr[uint32](
				1,
			),
			Scheme:             cx.SchemeDigestAKAv1MD5,
			Authenticate:       make([]byte, 32),
			Authorization:      make([]byte, 8),
			ConfidentialityKey: make([]byte, 16),
			IntegrityKey:       make([]byte, 16),
			Digest:             &cx.DigestAuthenticate{Realm: "example", Algorithm: "MD5", QoP: "auth", HA1: "0123"},
		}}},
		"RTR": &cx.RTR{
			RequestHeader: header,
			UserName:      "user@example",
			Reason:        cx.DeregistrationReason{Code: cx.PermanentTermination, Info: "gone"},
		},
		"PPR": &cx.PPR{RequestHeader: header, UserName: "user@example", UserData: []byte("<x/>")},
		"CCR": &ro.CCR{
			RequestHeader: request(), ServiceContextID: ro.ServiceContextIMS, Type: ro.Update, Number: 1,
			EventTimestamp: time.Unix(1_700_000_000, 0), Subscriptions: []ro.SubscriptionID{{Type: ro.E164, Data: "15551234"}},
			MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{{
				Requested:   &ro.ServiceUnit{},
				Used:        []ro.ServiceUnit{{Time: ptr[uint32](0), TotalOctets: ptr[uint64](1 << 40)}},
				RatingGroup: ptr[uint32](100),
			}},
			ServiceInformation: &ro.ServiceInformation{
				IMS: &ro.IMSInformation{
					NodeFunctionality: ro.NodeSCSCF,
					EventType:         &ro.EventType{SIPMethod: "INVITE"},
					UserSessionID:     "call",
					CauseCode:         ptr[int32](-1),
					TimeStamps:        &ro.TimeStamps{Request: time.Unix(1_700_000_000, 0)},
				},
			},
		},
		"RAR": &ro.RAR{RequestHeader: request(), Type: ro.AuthorizeOnly, RatingGroups: []uint32{100}},
		"RAA": &ro.RAA{
			AnswerHeader: diameter.AnswerHeader{SessionID: "s", Result: ro.LimitedSuccess, OriginHost: "scscf.example", OriginRealm: "example"},
		},
		"ASR": &ro.ASR{RequestHeader: request()},
		"ASA": &ro.ASA{
			AnswerHeader: diameter.AnswerHeader{SessionID: "s", Result: ro.Success, OriginHost: "scscf.example", OriginRealm: "example"},
		},
		"CCA": &ro.CCA{
			AnswerHeader: diameter.AnswerHeader{
				SessionID:   "s",
				Result:      ro.Success,
				OriginHost:  "ocs.example",
				OriginRealm: "example",
			}, Type: ro.Update, Number: 1,
			MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{
				{
					Granted:             &ro.ServiceUnit{Time: ptr[uint32](300)},
					ResultCode:          ptr[uint32](2001),
					FinalUnitIndication: &ro.FinalUnitIndication{Action: ro.FinalTerminate},
				},
			},
			CostInformation: &ro.CostInformation{Value: ro.UnitValue{Digits: -5, Exponent: ptr[int32](-2)}, Currency: 978},
		},
	}
	maps.Copy(all, rxMessages(answer))

	return all
}

// wire encodes, serialises, reads back through the guard and decodes.
func wire(t testing.TB, d *diameter.Dictionary, sent, got diameter.Commander) error {
	t.Helper()

	back, _, err := d.Read(bytes.NewReader(serialized(t, d, sent)), maxMessage)
	if err != nil {
		return err
	}

	return d.Decode(back, got)
}

// drawn draws the values of a message from rapid.
type drawn struct{ t *rapid.T }

func (d drawn) present() bool { return rapid.Bool().Draw(d.t, "present") }
func (d drawn) count() int    { return rapid.IntRange(0, 3).Draw(d.t, "count") }
func (d drawn) text() string  { return rapid.String().Draw(d.t, "text") }
func (d drawn) octets() []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(d.t, "octets")
}

func (d drawn) number(bits int) uint64 {
	return rapid.Uint64Max(1<<bits-1).Draw(d.t, "number")
}

// moment returns a time in the range of RFC 6733 §4.3.1, from 1968 to 2104, or none.
func (d drawn) moment() time.Time {
	if !d.present() {
		return time.Time{}
	}

	return time.Unix(rapid.Int64Range(-61505152, 4233462143).Draw(d.t, "moment"), 0)
}

func TestEveryMessageSurvivesTheWire(t *testing.T) {
	d := dictionary(t)

	for _, command := range commands {
		t.Run(nameOf(command()), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				sent, got := filled(command(), drawn{r}), command()
				if err := wire(t, d, sent, got); err != nil {
					r.Fatal(err)
				}
				if diff := cmp.Diff(sent, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
					r.Error(diff)
				}
			})
		})
	}
}

// TestGoldenMessages: the octets of messages, AVP by AVP: code, flags, name, value.
func TestGoldenMessages(t *testing.T) {
	d := dictionary(t)

	for name, message := range messages() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".golden")
			got := dump(t, d, serialized(t, d, message))

			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}

			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// dump writes a message as text, from its octets and the names in the dictionary alone.
func dump(t *testing.T, d *diameter.Dictionary, raw []byte) string {
	t.Helper()

	names, groups := map[wiresharkKey]string{}, map[wiresharkKey]bool{}
	for _, application := range []uint32{0, uint32(raw[8])<<24 | uint32(raw[9])<<16 | uint32(raw[10])<<8 | uint32(raw[11])} {
		for _, a := range d.Attributes(application) {
			names[wiresharkKey{a.Code, a.Vendor}] = a.Name
			groups[wiresharkKey{a.Code, a.Vendor}] = a.Type == "Grouped"
		}
	}

	var b strings.Builder
	fmt.Fprintf(&b, "% x\n", raw[:20])
	dumpAVPs(&b, names, groups, raw[20:], "")

	return b.String()
}

func dumpAVPs(w *strings.Builder, names map[wiresharkKey]string, groups map[wiresharkKey]bool, b []byte, indent string) {
	number := func(b []byte) (n uint32) {
		for _, octet := range b {
			n = n<<8 | uint32(octet)
		}

		return n
	}

	for len(b) > 0 {
		key, header, length := wiresharkKey{code: number(b[:4])}, 8, int(number(b[5:8]))
		if b[4]&avp.Vbit != 0 {
			key.vendor, header = number(b[8:12]), 12
		}

		value := b[header:length]
		fmt.Fprintf(w, "%s%d/%d %02x %s", indent, key.code, key.vendor, b[4], names[key])

		switch {
		case groups[key]:
			fmt.Fprintln(w)
			dumpAVPs(w, names, groups, value, indent+"  ")
		case printable(value):
			fmt.Fprintf(w, " %q\n", value)
		default:
			fmt.Fprintf(w, " %x\n", value)
		}

		b = b[(length+3)&^3:]
	}
}

func printable(b []byte) bool {
	return len(b) > 0 && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
}

// lacking removes an AVP from a message; bearing adds some.
func lacking(code, vendor uint32) func(*diameter.Message) {
	return func(m *diameter.Message) { m.DeleteAVP(code, vendor) }
}

func bearing(a ...*diam.AVP) func(*diameter.Message) {
	return func(m *diameter.Message) {
		for _, a := range a {
			m.AddAVP(a)
		}
	}
}

func cxAVP(code uint32, data datatype.Type) *diam.AVP {
	return diam.NewAVP(code, avp.Mbit|avp.Vbit, cx.VendorID, data)
}

func TestDecodeRefuses(t *testing.T) {
	group := func(code uint32, avps ...*diam.AVP) *diam.AVP { return cxAVP(code, &diam.GroupedAVP{AVP: avps}) }

	tests := []struct {
		name   string
		sent   string
		change func(*diameter.Message)
		answer string
	}{
		{"a required AVP is missing", "LIR", lacking(601, 10415), "5005 601()"},
		{"a required number is missing", "MAR", lacking(607, 10415), "5005 607(00000000)"},
		{"a required group is missing", "MAR", lacking(612, 10415), "5005 612()"},
		{"a required AVP of the base protocol is missing", "UAR", lacking(avp.OriginRealm, 0), "5005 296()"},
		{"Session-Id is missing", "UAR", lacking(avp.SessionID, 0), "5005 263()"},
		{"a required AVP of a group is missing", "RTR", func(m *diameter.Message) {
			lacking(615, 10415)(m)
			bearing(group(615, cxAVP(617, datatype.UTF8String("why"))))(m)
		}, "5005 615( 616(00000000))"},
		{"an AVP is there twice", "LIR", bearing(cxAVP(601, datatype.UTF8String("sip:x"))), "5009 601(7369703a78)"},
		{"an AVP is there twice in a group", "RTR", func(m *diameter.Message) {
			lacking(615, 10415)(m)
			bearing(group(615, cxAVP(616, datatype.Enumerated(0)), cxAVP(616, datatype.Enumerated(1))))(m)
		}, "5009 615( 616(00000001))"},
		{"a value that the enumeration has not", "SAR", func(m *diameter.Message) {
			lacking(614, 10415)(m)
			bearing(cxAVP(614, datatype.Enumerated(99)))(m)
		}, "5004 614(00000063)"},
		{"a negative value of an enumeration", "SAR", func(m *diameter.Message) {
			lacking(614, 10415)(m)
			bearing(cxAVP(614, datatype.Enumerated(-1)))(m)
		}, "5004 614(ffffffff)"},
		{"CC-Request-Type 9", "CCR", func(m *diameter.Message) {
			lacking(416, 0)(m)
			bearing(diam.NewAVP(416, avp.Mbit, 0, datatype.Enumerated(9)))(m)
		}, "5004 416(00000009)"},
		{"a Flow-Status of 5", "Rx-AAR", func(m *diameter.Message) {
			lacking(517, 10415)(m)
			bearing(group(517, cxAVP(518, datatype.Unsigned32(1)), cxAVP(511, datatype.Enumerated(5))))(m)
		}, "5004 517( 511(00000005))"},
		{"a component without a number", "Rx-AAR", func(m *diameter.Message) {
			lacking(517, 10415)(m)
			bearing(group(517, cxAVP(511, datatype.Enumerated(2))))(m)
		}, "5005 517( 518(00000000))"},
		{"an STR without a cause", "Rx-STR", lacking(avp.TerminationCause, 0), "5005 295(00000000)"},
		{"an ASR without Auth-Application-Id", "Rx-ASR", lacking(avp.AuthApplicationID, 0), "5005 258(00000000)"},
		{"what may be there more than once", "SAR", bearing(cxAVP(601, datatype.UTF8String("sip:x"))), ""},
		{"an AVP that the message does not have", "UAR", bearing(cxAVP(614, datatype.Enumerated(0))), ""},
		{"an unknown AVP without the M bit", "UAR", bearing(diam.NewAVP(9999, 0, 0, datatype.OctetString("x"))), ""},
		{"another vendor's AVP with the code of one that is required", "LIR", func(m *diameter.Message) {
			bearing(diam.NewAVP(601, avp.Vbit, 9, datatype.OctetString("x")))(m)
		}, ""},
	}

	d, sent := dictionary(t), messages()

	for _, test := range tests {
		t.Run("RFC 6733 §7.1.5 "+test.name, func(t *testing.T) {
			m, err := d.Encode(sent[test.sent])
			if err != nil {
				t.Fatal(err)
			}

			test.change(m)
			m = reread(t, d, m)

			var got string

			for _, command := range commands {
				into := command()
				if nameOf(into) != test.sent {
					continue
				}

				err := d.Decode(m, into)

				var refusal *diameter.Error
				if errors.As(err, &refusal) {
					got = shown(t, reread(t, d, d.Refuse(m, refusal, home)))
				} else if err != nil {
					t.Fatal(err)
				}
			}

			if got != test.answer {
				t.Errorf("answered %q, want %q", got, test.answer)
			}
		})
	}
}

// TestDecodeTakesAnswersAsTheyCome: an answer is read as far as possible: its result counts more than a fault in the rest.
func TestDecodeTakesAnswersAsTheyCome(t *testing.T) {
	d := dictionary(t)

	m, err := d.Encode(
		&cx.UAA{AnswerHeader: cx.AnswerHeader{AnswerHeader: diameter.AnswerHeader{Result: cx.ErrorUserUnknown, OriginHost: "hss"}}},
	)
	if err != nil {
		t.Fatal(err)
	}

	bearing(
		diam.NewAVP(9999, avp.Mbit, 0, datatype.OctetString("x")),
		diam.NewAVP(avp.OriginHost, avp.Mbit, 0, datatype.DiameterIdentity("twice")),
	)(
		m,
	)
	lacking(avp.OriginRealm, 0)(m)

	var answer cx.UAA
	if err := d.Decode(reread(t, d, m), &answer); err != nil || answer.Result != cx.ErrorUserUnknown || answer.OriginHost != "hss" {
		t.Errorf("got %+v, %v", answer, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	d := dictionary(t)

	m, err := d.Encode(&cx.SAA{UserData: make([]byte, 1<<24)})
	if err == nil {
		_, err = diameter.Serialize(m)
	}
	if err == nil {
		t.Error("an AVP whose length has no room in its header was sent")
	}
}

type misnamed struct {
	Name string `avp:"No-Such-AVP"`
}

type mistyped struct {
	Name string `avp:"Result-Code"`
}

func (*misnamed) Command() diameter.Command {
	return diameter.Command{Application: &cx.Application, Code: 300}
}

func (*mistyped) Command() diameter.Command {
	return diameter.Command{Application: &cx.Application, Code: 300}
}

// TestTypesMustFitTheDictionary: a type that does not fit the dictionary is an error of the first message, not a panic of some later one.
func TestTypesMustFitTheDictionary(t *testing.T) {
	d := dictionary(t)

	for _, wrong := range []diameter.Commander{&misnamed{}, &mistyped{}} {
		if m, err := d.Encode(wrong); err == nil {
			t.Errorf("%T was encoded: %v", wrong, m)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	d := dictionary(b)
	sent := messages()

	for _, command := range commands {
		name := nameOf(command())
		if sent[name] == nil {
			continue
		}

		raw := serialized(b, d, sent[name])

		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, _ := d.Encode(sent[name])
				_, _ = diameter.Serialize(m)
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, _, _ := d.Read(bytes.NewReader(raw), maxMessage)
				_ = d.Decode(m, command())
			}
		})
	}
}
