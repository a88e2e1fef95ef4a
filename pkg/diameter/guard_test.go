package diameter_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

const maxMessage = 1 << 16

var home = diameter.Identity{Host: "hss.example", Realm: "example"}

// shown returns a message in short: result, E bit, AVPs in Failed-AVP.
func shown(t *testing.T, m *diameter.Message) string {
	t.Helper()

	var text string
	for _, a := range m.AVP {
		switch value := a.Data.(type) {
		case datatype.Unsigned32:
			if a.Code == avp.ResultCode {
				text = fmt.Sprint(uint32(value)) + text
			}
		case *diam.GroupedAVP:
			if a.Code == avp.FailedAVP {
				text += failed(value.AVP)
			}
		}
	}

	if m.Header.CommandFlags&diam.ErrorFlag != 0 {
		text += " E"
	}

	return text
}

func failed(avps []*diam.AVP) (text string) {
	for _, a := range avps {
		text += fmt.Sprintf(" %d(", a.Code)
		if group, ok := a.Data.(*diam.GroupedAVP); ok {
			text += failed(group.AVP)
		} else {
			text += fmt.Sprintf("%x", a.Data.Serialize())
		}
		text += ")"
	}

	return text
}

// reread reads an answer as its receiver does, who knows the command.
func reread(t *testing.T, d *diameter.Dictionary, answer *diameter.Message) *diameter.Message {
	t.Helper()

	raw, err := diameter.Serialize(answer)
	if err != nil {
		t.Fatal(err)
	}

	code, application := answer.Header.CommandCode, answer.Header.ApplicationID
	if !d.Knows(application, code) {
		copy(raw[5:], []byte{0, 1, 44, 1, 0, 0, 0}) // as if it were a UAA
	}

	m, _, err := d.Read(bytes.NewReader(raw), maxMessage)
	if err == nil {
		m.Header.CommandCode, m.Header.ApplicationID = code, application
	}
	if err != nil {
		t.Fatalf("the answer %x: %v", raw, err)
	}

	return m
}

func TestHostileMessages(t *testing.T) {
	d, inputs := dictionary(t), hostile()

	tests := []struct {
		name, answer string
		fatal        bool
	}{
		{"a message shorter than its header", "5015", true},
		{"a message longer than max_message", "5015", false},
		{"version 2", "5011", true},
		{"a length that is no multiple of four", "5015", true},
		{"an application that is not served", "3007 E", false},
		{"a command that no dictionary has", "3001 E", false},
		{"a request with the E bit", "3008 E", false},
		{"an AVP cut off in its header", "5014 264()", false},
		{"a vendor AVP cut off in its header", "5014 601()", false},
		{"an AVP shorter than its header", "5014 264()", false},
		{"an AVP longer than the message", "5014 264()", false},
		{"an Unsigned32 of two octets", "5014 268(00000000)", false},
		{"an Unsigned32 of two octets in a group", "5014 260( 266(00000000))", false},
		{"groups nested without end", "5012", false},
		{"groups of 3GPP nested without end", "", false}, // two, side by side
		{"a vendor's AVP with a code of the base's", "", false},
		{"… which is mandatory", "5001 268(07)", false},
		{"AVP flags that nobody defined", "3009 263(78) E", false},
		{"text that is no UTF-8", "5004 1(c328)", false},
		{"an address of a family without a value", "5014 257(000100000000)", false},
		{"a CC-Request-Type of one octet", "5014 416(00000000)", false},
		{"Failed-AVPs nested without end", "", false},
		{"nothing but the smallest AVPs that there are", "", false},
	}

	if len(tests) != len(inputs) {
		t.Fatalf("%d inputs, %d tests", len(inputs), len(tests))
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats

			runtime.ReadMemStats(&before)
			m, _, err := d.Read(bytes.NewReader(inputs[test.name]), maxMessage)
			runtime.ReadMemStats(&after)

			if spent := after.TotalAlloc - before.TotalAlloc; spent > 4<<20 {
				t.Errorf("%d octets of memory for a message of %d", spent, len(inputs[test.name]))
			}

			var fault *diameter.WireError

			switch {
			case test.answer == "":
				if err != nil || m == nil {
					t.Errorf("refused: %v", err)
				}
			case !errors.As(err, &fault):
				t.Errorf("taken, or another error: %v", err)
			default:
				answer := reread(t, d, d.RefuseWire(fault, home))
				if got := shown(t, answer); got != test.answer || fault.Fatal != test.fatal {
					t.Errorf("answered %q (fatal %v), want %q (fatal %v)", got, fault.Fatal, test.answer, test.fatal)
				}
			}
		})
	}
}

// TestFailedAVPNeedNotBeRight: the AVPs that a peer shows in Failed-AVP may be faulty. Its answer counts all the same.
func TestFailedAVPNeedNotBeRight(t *testing.T) {
	d := dictionary(t)

	m, err := d.Encode(&cx.UAA{AnswerHeader: cx.AnswerHeader{AnswerHeader: diameter.AnswerHeader{Result: diameter.InvalidAVPLength}}})
	if err != nil {
		t.Fatal(err)
	}

	m.AddAVP(diam.NewAVP(avp.FailedAVP, avp.Mbit, 0, datatype.OctetString([]byte{0, 0, 1, 12, 0x40, 0, 0, 10, 0, 0, 0, 0})))

	var answer cx.UAA
	if err := d.Decode(reread(t, d, m), &answer); err != nil || answer.Result != diameter.InvalidAVPLength {
		t.Errorf("got %v, %v", answer.Result, err)
	}
}

// TestRefusalKeepsWhatTheRequestSays: the answer to a request that cannot be decoded still identifies its request (RFC 6733 §6.2), also
// within a session (RFC 8506 §3.2).
func TestRefusalKeepsWhatTheRequestSays(t *testing.T) {
	d := dictionary(t)

	m, err := d.Encode(filled(new(ro.CCR), new(everything)))
	if err != nil {
		t.Fatal(err)
	}

	m.AddAVP(diam.NewAVP(avp.ProxyInfo, avp.Mbit, 0, &diam.GroupedAVP{AVP: []*diam.AVP{
		diam.NewAVP(avp.ProxyHost, avp.Mbit, 0, datatype.DiameterIdentity("relay.example")),
		diam.NewAVP(avp.ProxyState, avp.Mbit, 0, datatype.OctetString("state")),
	}}))
	m.AddAVP(diam.NewAVP(9999, avp.Mbit, 0, datatype.OctetString("?")))
	m.Header.HopByHopID, m.Header.EndToEndID = 0, 7
	m.Header.CommandFlags |= diam.RetransmittedFlag

	raw, err := diameter.Serialize(m)
	if err != nil {
		t.Fatal(err)
	}

	var fault *diameter.WireError
	if _, _, err := d.Read(bytes.NewReader(raw), maxMessage); !errors.As(err, &fault) {
		t.Fatalf("taken: %v", err)
	}

	answer := reread(t, d, d.RefuseWire(fault, home))
	if h := answer.Header; h.CommandFlags != diam.ProxiableFlag || h.HopByHopID != 0 || h.EndToEndID != 7 {
		t.Errorf("header %+v", h)
	}

	want := []uint32{
		avp.SessionID,
		avp.AuthApplicationID,
		416,
		415,
		avp.ResultCode,
		avp.OriginHost,
		avp.OriginRealm,
		avp.ErrorMessage,
		avp.FailedAVP,
		avp.ProxyInfo,
	}
	for i, code := range want {
		if i >= len(answer.AVP) || answer.AVP[i].Code != code {
			t.Fatalf("AVPs %v, want %v", answer.AVP, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	d := dictionary(f)

	for _, command := range commands {
		f.Add(serialized(f, d, filled(command(), new(everything))))
	}
	for _, raw := range hostile() {
		f.Add(raw)
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		m, _, err := d.Read(bytes.NewReader(raw), maxMessage)

		var fault *diameter.WireError

		switch {
		case errors.As(err, &fault):
			reread(t, d, d.RefuseWire(fault, home))
			return
		case err != nil: // cut off
			return
		}

		diameter.Unrepeat(m)

		for _, command := range commands {
			var refusal *diameter.Error

			into := command()
			if err := d.Decode(m, into); errors.As(err, &refusal) {
				reread(t, d, d.Refuse(m, refusal, home))
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}
