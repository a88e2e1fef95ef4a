package session

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func plan() Numbers {
	return Numbers{
		Prefixes: map[string]string{"00": "+", "0": "+49", "011": "+"},
		Contexts: map[string]string{"+1-555": "+1555", "ims.example": "+1555", "": "+1999"},
		Breakout: map[string]string{"": "sip:192.0.2.50:5060", "+49": "sip:192.0.2.50:5060;lr"},
	}
}

// RFC 3966 §5.1, TS 24.229 §5.4.3.2: what is dialled, and what it means.
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

	n := Numbers{Digits: true}
	if number, _, ok := n.dialled("sip:5550002@ims.example", home); !ok || number != "5550002" {
		t.Errorf("digits: got %q", number)
	}
}

// subscribers are the identities that the HSS knows, and what it was asked.
type subscribers struct {
	known []string
	asked []string
	err   error
}

func (s *subscribers) Exists(_ context.Context, public string) (bool, error) {
	s.asked = append(s.asked, public)

	return slices.Contains(s.known, public), s.err
}

// Numbers that are local to the home network are what the HSS says that they are.
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
			s := &Server{Config: Config{HomeDomain: home}, Subscribers: hss, Log: slog.New(slog.DiscardHandler)}

			if got := s.homeLocal(t.Context(), test.dialled, test.own); got != test.global || !slices.Equal(hss.asked, test.asked) {
				t.Errorf("got %q, asked %v; want %q, %v", got, hss.asked, test.global, test.asked)
			}
		})
	}

	ill := &subscribers{known: known, err: errors.New("no HSS")}
	s := &Server{Config: Config{HomeDomain: home}, Subscribers: ill, Log: slog.New(slog.DiscardHandler)}

	if got := s.homeLocal(t.Context(), "tel:5550002", "+15550001"); got != "" || len(ill.asked) != 1 {
		t.Errorf("an HSS that is ill: got %q, asked %v", got, ill.asked)
	}
}

func TestNumbersAreChecked(t *testing.T) {
	for name, n := range map[string]Numbers{
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

type book map[string]string

func (b book) Translate(ctx context.Context, number string) (string, error) {
	if uri, found := b[number]; found {
		if uri == "slow" {
			<-ctx.Done()
			return "", ctx.Err()
		}
		if uri == "broken" {
			return "", errors.New("SERVFAIL")
		}
		return uri, nil
	}

	return "", nil
}

// TS 24.229 §5.4.3.2: where a number goes.
func TestRoutingOfNumbers(t *testing.T) {
	numbers := book{
		"+15550002": bob,
		"+15550003": "sip:carol@elsewhere.example",
		"+15550004": "slow",
		"+15550005": "broken",
		"+15550006": "mailto:x@y",
		"+15550007": "tel:+15550008",
	}

	tests := []struct {
		name    string
		dialled string
		icscf   string // Request-URI there; "": it does not come there
		unknown bool   // the I-CSCF knows nobody
		gateway string // Request-URI there
		route   string // with this Route
		status  int    // to the caller
	}{
		{name: "ENUM knows a user of the home network", dialled: "tel:+1-555-0002", icscf: bob, status: 200},
		{name: "dialled locally", dialled: "sip:0015550002@ims.example;user=phone", icscf: bob, status: 200},
		{name: "ENUM knows another network", dialled: "tel:+15550003", gateway: "sip:carol@elsewhere.example", status: 200},
		{name: "ENUM does not answer", dialled: "tel:+15550004", icscf: "tel:+15550004", status: 200},
		{name: "ENUM fails", dialled: "tel:+15550005", icscf: "tel:+15550005", status: 200},
		{name: "ENUM says what cannot be called", dialled: "tel:+15550006", icscf: "tel:+15550006", status: 200},
		{name: "ENUM knows another number", dialled: "tel:+15550007", icscf: "tel:+15550008", status: 200},
		{
			name:    "nobody's: to a gateway",
			dialled: "tel:0044123",
			icscf:   "tel:+44123",
			unknown: true,
			gateway: "sip:+44123@192.0.2.50:5060;user=phone",
			status:  200,
		},
		{
			name:    "nobody's: to a BGCF",
			dialled: "tel:+4930",
			icscf:   "tel:+4930",
			unknown: true,
			gateway: "tel:+4930",
			route:   "<sip:192.0.2.50:5060;lr>",
			status:  200,
		},
		{name: "a name is not broken out", dialled: "sip:x@ims.example", icscf: "sip:x@ims.example", unknown: true, status: 404},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) { d.config.Numbers, d.enum = plan(), numbers }, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", test.dialled, serviceRoute)
				answer := func(p interface {
					Answer(*sip.Request, int, ...string)
				}, r *sip.Request,
				) {
					p.Answer(r, 200, "To: <"+bob+">;tag=b", "Contact: <sip:x@192.0.2.2>", "Record-Route: "+sip.Value(r, "Record-Route"))
				}

				if test.icscf != "" {
					r := d.icscf.Request("INVITE")
					if r.Recipient.String() != test.icscf {
						t.Errorf("the I-CSCF got %s, want %s", r.Recipient.String(), test.icscf)
					}
					if test.unknown {
						d.icscf.Answer(r, 404, `Reason: Diameter;cause=5001;text="unknown"`)
						d.icscf.Request("ACK")
					} else {
						answer(d.icscf, r)
					}
				}
				if test.gateway != "" {
					r := d.gateway.Request("INVITE")
					if r.Recipient.String() != test.gateway || sip.Value(r, "Route") != test.route {
						t.Errorf("the gateway got %s by %q, want %s by %q", r.Recipient.String(), sip.Value(r, "Route"), test.gateway, test.route)
					}
					if len(sip.Values(r, "Record-Route")) != 1 {
						t.Errorf("Record-Route %v", sip.Values(r, "Record-Route"))
					}
					answer(d.gateway, r)
				}
				if r := d.pcscf.Response(test.status); test.status == 404 && sip.Value(r, "Reason") == "" {
					t.Error("the 404 does not say why")
				}
				d.icscf.Silent()
				d.gateway.Silent()
				if test.status == 200 {
					d.wantAsked("1#0") // once, whatever way it took
				}
			})
		})
	}
}

// A 404 of the callee's own is none of the I-CSCF's, and nothing breaks out without a route.
func TestNoBreakout(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		routes map[string]string
	}{
		"the callee says 404": {"SIP;cause=404", plan().Breakout},
		"no route":            {"Diameter;cause=5001", map[string]string{"+49": "sip:192.0.2.50:5060"}},
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, func(d *desk) { d.config.Numbers.Breakout = test.routes }, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", "tel:+15550002", serviceRoute)
				d.icscf.Answer(d.icscf.Request("INVITE"), 404, "Reason: "+test.reason)
				if r := d.pcscf.Response(404); sip.Value(r, "Reason") != test.reason {
					t.Errorf("Reason %q", sip.Value(r, "Reason"))
				}
				time.Sleep(time.Second)
				d.gateway.Silent()
				d.wantAsked("1#0", "3#1 used 0s cause 404")
			})
		})
	}
}
