package media

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The needs of sessions, in text: the input holds the offer and the answer, each without their common lines.
func TestNeeds(t *testing.T) {
	situations := 0

	datadriven.Walk(t, "testdata/needs", func(t *testing.T, file string) {
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			situations++

			n := Negotiation{UEOffered: d.Cmd == "originating", UE: netip.MustParseAddr("10.45.0.2")}
			if n.UEOffered == (d.Cmd == "terminating") {
				t.Fatalf("%s: a situation is originating or terminating, not %s", d.Pos, d.Cmd)
			}

			ue, far := "IN IP4 10.45.0.2", "IN IP4 192.0.2.1"
			if d.HasArg("v6") {
				ue, far, n.UE = "IN IP6 2001:db8:45::2", "IN IP6 2001:db8:1::9", netip.MustParseAddr("2001:db8:45::2")
			}

			if !n.UEOffered {
				ue, far = far, ue
			}

			offer, answer, found := strings.Cut(d.Input, "\nanswer\n")
			if !found {
				t.Fatalf("%s: no answer", d.Pos)
			}

			n.Offer, n.Answer = whole(offer, ue), whole(answer, far)

			var kinds []Kind
			for _, arg := range d.CmdArgs {
				if arg.Key == "only" {
					for _, kind := range arg.Vals {
						kinds = append(kinds, Kind(strings.ToUpper(kind)))
					}
				}
			}

			components, err := Needs(n, kinds)
			if err != nil {
				return err.Error()
			}

			return written(components, d.HasArg("codecs"))
		})
	})

	if situations < 60 {
		t.Errorf("%d situations", situations)
	}
}

// whole returns a description with CRLF, and with the common lines in front, unless it begins with its own.
func whole(text, connection string) []byte {
	if !strings.HasPrefix(text, "v=") {
		text = "v=0\no=- 1 1 " + connection + "\ns=-\nc=" + connection + "\nt=0 0\n" + text
	}

	return []byte(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")
}

func written(components []Component, codecs bool) string {
	var b strings.Builder

	for _, c := range components {
		fmt.Fprintf(&b, "%d %s %s%s%s%s%s\n", c.Number, c.Kind, c.Status,
			number(" up", c.Uplink), number(" down", c.Downlink), number(" RS", c.RS), number(" RR", c.RR))

		for _, f := range c.Flows {
			what := ""
			if f.RTCP {
				what = " RTCP"
			}

			fmt.Fprintf(&b, "  %d%s in  %s\n", f.Number, what, rule(f.Uplink))
			fmt.Fprintf(&b, "  %d%s out %s\n", f.Number, what, rule(f.Downlink))
		}

		for _, codec := range c.Codecs {
			if codecs {
				fmt.Fprintf(&b, "  uplink %t, answer %t\n    %s\n", codec.Uplink, codec.Answer, strings.Join(codec.Lines, "\n    "))
			}
		}
	}

	return b.String()
}

func number(name string, n *uint32) string {
	if n == nil {
		return ""
	}

	return fmt.Sprintf("%s %d", name, *n)
}

func rule(r Rule) string { return fmt.Sprintf("%d %s > %s", r.Protocol, end(r.From), end(r.To)) }

func end(e End) string {
	text := "any"
	if e.Address.IsValid() {
		text = e.Address.String()
	}
	if e.First != 0 {
		text += fmt.Sprintf(" %d", e.First)
	}
	if e.Last != 0 {
		text += fmt.Sprintf("-%d", e.Last)
	}

	return text
}

// Bearers cover needs for less of the same: equal, narrower, or dropped.
func TestCovers(t *testing.T) {
	needs := func(own, far string) []Component {
		t.Helper()

		components, err := Needs(Negotiation{
			Offer: whole(own, "IN IP4 10.45.0.2"), Answer: whole(far, "IN IP4 192.0.2.1"), UEOffered: true,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}

		return components
	}

	const own, far = "m=audio 50000 RTP/AVP 0\nb=AS:80", "m=audio 40000 RTP/AVP 0\nb=AS:80"

	const ownVideo, farVideo = "\nm=video 50002 RTP/AVP 34\nb=AS:500", "\nm=video 40002 RTP/AVP 34\nb=AS:500"

	had := needs(own+ownVideo, far+farVideo)

	for name, test := range map[string]struct {
		own, far string
		want     bool
	}{
		"the same":           {own + ownVideo, far + farVideo, true},
		"on hold":            {own + "\na=sendonly" + ownVideo, far + "\na=recvonly" + farVideo, true},
		"video is dropped":   {own + "\nm=video 0 RTP/AVP 34", far + "\nm=video 0 RTP/AVP 34", true},
		"narrower":           {own + ownVideo, far + "\nm=video 40002 RTP/AVP 34\nb=AS:300", true},
		"wider":              {own + ownVideo, far + "\nm=video 40002 RTP/AVP 34\nb=AS:600", false},
		"another port":       {own + ownVideo, "m=audio 40010 RTP/AVP 0\nb=AS:80" + farVideo, false},
		"another kind":       {own + "\nm=text 50002 RTP/AVP 98", far + "\nm=text 40002 RTP/AVP 98", false},
		"one more":           {own + ownVideo + ownVideo, far + farVideo + farVideo, false},
		"RTCP by one port":   {own + "\na=rtcp-mux" + ownVideo, far + "\na=rtcp-mux" + farVideo, true},
		"RTCP by a new port": {own + ownVideo, far + "\na=rtcp:45000" + farVideo, false},
	} {
		if got := Covers(had, needs(test.own, test.far)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}

	if Covers(nil, had) || !Covers(had, nil) || !Covers(Signalling(), Signalling()) {
		t.Error("nothing is covered by something, and not the other way round")
	}
}

// Whatever two parties send, components are few and have the numbers of their lines; the ends of a rule are of one family, and its ranges
// are in order.
func FuzzNeeds(f *testing.F) {
	f.Add("m=audio 4 RTP/AVP 0\r\n", "m=audio 5/2 RTP/AVP 0\r\na=rtcp:6 IN IP6 ::1\r\n", true)
	f.Add("c=IN IP4 0.0.0.0\nm=video 65535 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 profile-level-id=42e01f\n",
		"m=video 9 RTP/AVP 96", false)
	f.Add("c=IN IP6 ff02::1/3\nm=message 9 TCP/MSRP *\na=setup:active\n", "m=message 7 TCP/MSRP *\nb=AS:4294967295\nb=RS:0\nb=RR:0", true)

	f.Fuzz(func(t *testing.T, offer, answer string, own bool) {
		n := Negotiation{Offer: []byte(offer), Answer: []byte(answer), UEOffered: own, UE: netip.MustParseAddr("10.45.0.2")}

		components, err := Needs(n, nil)
		if err != nil {
			return
		}
		if len(components) == 0 || len(components) > maxComponents {
			t.Fatalf("%d components", len(components))
		}

		for i, c := range components {
			if c.Number != uint32(i+1) || len(c.Flows) > 2 || (c.Status == Removed) != (len(c.Flows) == 0) {
				t.Errorf("%+v", c)
			}

			for _, flow := range c.Flows {
				for _, r := range []Rule{flow.Uplink, flow.Downlink} {
					from, to := r.From.Address, r.To.Address
					if from.IsValid() && to.IsValid() && from.Addr().Is4() != to.Addr().Is4() {
						t.Errorf("two families: %s", rule(r))
					}
					if r.To.Last != 0 && r.To.Last < r.To.First {
						t.Errorf("a range: %s", rule(r))
					}
				}
			}
		}
	})
}
