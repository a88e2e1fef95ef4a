package numbering

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
)

const home = "ims.example"

func plan() Plan {
	return Plan{
		Prefixes: map[string]string{"00": "+", "0": "+49", "011": "+"},
		Contexts: map[string]string{"+1-555": "+1555", "ims.example": "+1555", "": "+1999"},
		Breakout: map[string]string{"": "sip:192.0.2.50:5060", "+49": "sip:192.0.2.50:5060;lr"},
	}
}

// TestNumbers: dialled numbers, and what they mean (RFC 3966 §5.1, TS 24.229 §5.4.3.2).
func TestNumbers(t *testing.T) {
	tests := []struct{ uri, number, global string }{
		{"tel:+1-555-0002", "+15550002", "+15550002"},
		{"tel:0002;phone-context=ims.example", "0002", "+02"},
		{"tel:5550002;phone-context=IMS.example", "5550002", "+15555550002"},
		{"tel:2;phone-context=+1-555", "2", "+15552"},
		{"tel:2;phone-context=other.example", "2", ""},
		{"tel:2", "2", "+19992"},
		{"tel:0049301234", "0049301234", "+49301234"},
		{"tel:030-1234;phone-context=ims.example", "0301234", "+49301234"},
		{"tel:01149301234", "01149301234", "+49301234"},
		{"tel:*21%23;phone-context=ims.example", "*21#", ""},
		{"tel:*21#;phone-context=ims.example", "", ""}, // RFC 3966 §3 has no raw #
		{"tel:+1234567890123456", "+1234567890123456", ""},
		{"sip:+15550002@ims.example;user=phone", "+15550002", "+15550002"},
		{"sip:2;phone-context=+1-555@ims.example;user=phone", "2", "+15552"},
		{"sip:0301234@ims.example:5060;user=phone", "0301234", "+49301234"},
		{"sip:0301234@ims.example", "", ""}, // an IMSI looks like this
		{"sip:+15550002@other.example;user=phone", "", ""},
		{"sip:bob@ims.example;user=phone", "", ""},
		{"sip:ims.example;user=phone", "", ""},
		{"urn:service:sos", "", ""},
	}

	for _, test := range tests {
		n := plan()
		number, phoneContext, ok := n.dialled(test.uri, home)
		global := ""
		if ok {
			global = n.global(number, phoneContext)
		}
		if number != test.number || ok != (test.number != "") || global != test.global {
			t.Errorf("%s: got %q, %q; want %q, %q", test.uri, number, global, test.number, test.global)
		}
	}

	n := Plan{Digits: true}
	if number, _, ok := n.dialled("sip:5550002@ims.example", home); !ok || number != "5550002" {
		t.Errorf("digits: got %q", number)
	}
}

// subscribers are the identities that the HSS knows, and its queries.
type subscribers struct {
	known []string
	asked []string
	err   error
}

func (s *subscribers) Exists(_ context.Context, public string) (bool, error) {
	s.asked = append(s.asked, public)

	return slices.Contains(s.known, public), s.err
}

// TestHomeLocalNumbers: the HSS decides about numbers that are local to the home network.
func TestHomeLocalNumbers(t *testing.T) {
	known := []string{"tel:+15550002", "tel:+4915550003", "sip:0042@ims.example", "sip:001010000000002@ims.example", "tel:+112345"}

	tests := []struct {
		name, dialled, own string
		global             string   // "": it stays as it is
		asked              []string // of the HSS
	}{
		{
			name:    "tel with the home domain as context",
			dialled: "tel:15550002;phone-context=IMS.example",
			own:     "+15550001",
			global:  "+15550002",
			asked:   []string{"tel:+15550002"},
		},
		{
			name:    "tel with visual separators",
			dialled: "tel:1-555-0002;phone-context=ims.example",
			own:     "+15550001",
			global:  "+15550002",
			asked:   []string{"tel:+15550002"},
		},
		{name: "tel without a context", dialled: "tel:15550002", own: "+15550001", global: "+15550002", asked: []string{"tel:+15550002"}},
		{
			name:    "sip with the context, as handsets have it",
			dialled: "sip:15550002;phone-context=ims.example@ims.example;user=phone",
			own:     "+15550001",
			global:  "+15550002",
			asked:   []string{"tel:+15550002"},
		},
		{
			name:    "sip with user=phone alone",
			dialled: "sip:15550002@ims.example;user=phone",
			own:     "+15550001",
			global:  "+15550002",
			asked:   []string{"tel:+15550002"},
		},
		{
			name:    "sip as soft phones have it",
			dialled: "sip:15550002@ims.example",
			own:     "+15550001",
			global:  "+15550002",
			asked:   []string{"sip:15550002@ims.example", "tel:+15550002"},
		},
		{
			name:    "short, without the country",
			dialled: "tel:5550002;phone-context=ims.example",
			own:     "+15550001",
			global:  "+15550002",
			asked:   []string{"tel:+5550002", "tel:+15550002"},
		},
		{
			name:    "short, the last four",
			dialled: "sip:0002@ims.example;user=phone",
			own:     "+15550001",
			global:  "+15550002",
			asked:   []string{"tel:+0002", "tel:+15550002"},
		},
		{
			name:    "shorter than the caller's number, and whole",
			dialled: "tel:15550002",
			own:     "+4915550003",
			global:  "+15550002",
			asked:   []string{"tel:+15550002"},
		},
		{name: "a caller without a number", dialled: "tel:15550002", global: "+15550002", asked: []string{"tel:+15550002"}},
		{name: "a caller without a number, short", dialled: "tel:0002", asked: []string{"tel:+0002"}},
		{name: "somebody's name", dialled: "sip:0042@ims.example", own: "+15550001", asked: []string{"sip:0042@ims.example"}},
		{name: "an IMSI", dialled: "sip:001010000000002@ims.example", own: "+15550001", asked: []string{"sip:001010000000002@ims.example"}},
		{name: "a service's number is not completed", dialled: "tel:345;phone-context=ims.example", own: "+112001", asked: []string{"tel:+345"}},
		{name: "nobody's", dialled: "tel:15550009", own: "+15550001", asked: []string{"tel:+15550009"}},
		{name: "another network's context", dialled: "tel:15550002;phone-context=other.example", own: "+15550001"},
		{name: "a context that is a prefix", dialled: "tel:0002;phone-context=+1-444", own: "+15550001"},
		{name: "another domain", dialled: "sip:15550002@other.example;user=phone", own: "+15550001"},
		{name: "a service code", dialled: "tel:*21%23;phone-context=ims.example", own: "+15550001"},
		{name: "a global number", dialled: "tel:+15550002", own: "+15550001"},
		{name: "a name", dialled: "sip:bob@ims.example", own: "+15550001"},
		{name: "more digits than a number has", dialled: "tel:1234567890123456", own: "+15550001"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hss := &subscribers{known: known}
			s := New(Options{HomeDomain: home, Subscribers: hss, Log: slog.New(slog.DiscardHandler)})

			if got := s.homeLocal(t.Context(), test.dialled, test.own); got != test.global || !slices.Equal(hss.asked, test.asked) {
				t.Errorf("got %q, asked %v; want %q, %v", got, hss.asked, test.global, test.asked)
			}
		})
	}

	ill := &subscribers{known: known, err: errors.New("no HSS")}
	s := New(Options{HomeDomain: home, Subscribers: ill, Log: slog.New(slog.DiscardHandler)})

	if got := s.homeLocal(t.Context(), "tel:5550002", "+15550001"); got != "" || len(ill.asked) != 1 {
		t.Errorf("an HSS that is ill: got %q, asked %v", got, ill.asked)
	}
}

func TestNumbersAreChecked(t *testing.T) {
	for name, n := range map[string]Plan{
		"prefix without +":     {Prefixes: map[string]string{"0": "49"}},
		"empty prefix":         {Prefixes: map[string]string{"": "+49"}},
		"prefix of letters":    {Prefixes: map[string]string{"x": "+49"}},
		"context without +":    {Contexts: map[string]string{"a": "1"}},
		"breakout to nowhere":  {Breakout: map[string]string{"": "gateway"}},
		"breakout by a number": {Breakout: map[string]string{"": "tel:+1"}},
		"breakout of a name":   {Breakout: map[string]string{"+x": "sip:a"}},
	} {
		if err := n.Validate(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}

	good := plan()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzNumbers(f *testing.F) {
	for _, seed := range []string{
		"tel:+1-555-0002",
		"sip:2;phone-context=+1-555@ims.example;user=phone",
		"tel:00;phone-context=;;=@",
		"sip:@ims.example;user=phone",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, uri string) {
		n := plan()
		n.Digits = true

		number, phoneContext, ok := n.dialled(uri, home)
		if !ok {
			return
		}

		if global := n.global(number, phoneContext); global != "" {
			if again := n.global(global, ""); again != global {
				t.Errorf("%q is %q, and that is %q", uri, global, again)
			}
		}
	})
}
