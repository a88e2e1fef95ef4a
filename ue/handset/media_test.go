package handset

import (
	"net/netip"
	"strings"
	"testing"
)

var here = netip.MustParseAddr("192.0.2.1")

// media returns a description without its first five lines.
func media(text []byte) string {
	_, after, _ := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "t=0 0\n")

	return after
}

func described(lines ...string) []byte {
	return []byte("v=0\r\no=x 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n" + strings.Join(lines, "\r\n") + "\r\n")
}

// RFC 3264 §6: the answers to clients' offers.
func TestAnswer(t *testing.T) {
	tests := []struct {
		name   string
		offer  []string
		answer []string // nil: nothing in common
	}{
		{
			"a soft phone with opus and G.711",
			[]string{
				"m=audio 4000 RTP/AVP 96 0 8 101",
				"a=rtpmap:96 opus/48000/2",
				"a=rtpmap:0 PCMU/8000",
				"a=rtpmap:8 PCMA/8000/1",
				"a=rtpmap:101 telephone-event/8000",
				"a=fmtp:101 0-11",
			},
			[]string{
				"m=audio 49152 RTP/AVP 0 8 101",
				"a=rtpmap:0 PCMU/8000",
				"a=rtpmap:8 PCMA/8000/1",
				"a=rtpmap:101 telephone-event/8000",
				"a=fmtp:101 0-11",
				"a=sendrecv",
			},
		},
		{
			"static payload types alone (RFC 3551 §6)",
			[]string{"m=audio 4000 RTP/AVP 8 18 0"},
			[]string{"m=audio 49152 RTP/AVP 8 0", "a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000", "a=sendrecv"},
		},
		{
			"a handset, with its payload types and parameters",
			[]string{
				"m=audio 4000 RTP/AVP 127 116 107",
				"b=AS:42",
				"a=rtpmap:127 EVS/16000/1",
				"a=fmtp:127 br=5.9-13.2;bw=nb-swb",
				"a=rtpmap:116 amr-wb/16000",
				"a=fmtp:116 octet-align=1",
				"a=rtpmap:107 AMR/8000", "a=curr:qos local none", "a=inactive",
			},
			[]string{
				"m=audio 49152 RTP/AVP 127 116 107",
				"a=rtpmap:127 EVS/16000/1",
				"a=fmtp:127 br=5.9-13.2;bw=nb-swb",
				"a=rtpmap:116 amr-wb/16000",
				"a=fmtp:116 octet-align=1",
				"a=rtpmap:107 AMR/8000",
				"a=inactive",
			},
		},
		{"on hold", []string{"a=sendonly", "m=audio 4000 RTP/AVP 0"}, []string{"m=audio 49152 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=recvonly"}},
		{
			"the stream's own direction counts",
			[]string{"a=sendonly", "m=audio 4000 RTP/AVPF 0", "a=recvonly"},
			[]string{"m=audio 49152 RTP/AVPF 0", "a=rtpmap:0 PCMU/8000", "a=sendonly"},
		},
		{
			"video and a second voice are refused, each in its place",
			[]string{"m=video 4002 RTP/AVP 97 98", "a=rtpmap:97 VP8/90000", "m=audio 4000 RTP/AVP 0", "m=audio 4004 RTP/AVP 0"},
			[]string{"m=video 0 RTP/AVP 97", "m=audio 49152 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv", "m=audio 0 RTP/AVP 0"},
		},
		{"only SRTP", []string{"m=audio 4000 RTP/SAVP 0"}, nil},
		{"a stream that is off", []string{"m=audio 0 RTP/AVP 0"}, nil},
		{"nothing to talk in", []string{"m=audio 4000 RTP/AVP 18 101", "a=rtpmap:101 telephone-event/8000"}, nil},
		{"a payload type without a meaning", []string{"m=audio 4000 RTP/AVP 96"}, nil},
		{"a stream cut off", []string{"m=audio 4000"}, nil},
		{"nothing", nil, nil},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text, ok := answer(described(test.offer...), here, 7)
			if ok != (test.answer != nil) {
				t.Fatalf("accepted: %v\n%s", ok, text)
			}

			if want := strings.Join(test.answer, "\n") + "\n"; ok && media(text) != want {
				t.Errorf("got\n%s\nwant\n%s", media(text), want)
			}
		})
	}
}

// The handset accepts its own offer whole, and marks a changed description (RFC 3264 §8).
func TestOffer(t *testing.T) {
	for _, at := range []netip.Addr{here, netip.MustParseAddr("2001:db8::1")} {
		mine := offer(at, 1)

		text, ok := answer(mine, at, 2)
		if !ok || media(text) != media(mine) {
			t.Errorf("got\n%s\nto\n%s", text, mine)
		}

		family := map[bool]string{true: "IP4", false: "IP6"}[at.Is4()]
		if !strings.HasPrefix(string(text), "v=0\r\no=- 1 2 IN "+family+" "+at.String()+"\r\n") {
			t.Errorf("it begins as\n%s", text)
		}
	}

	for _, name := range []string{"EVS/16000", "AMR-WB/16000", "AMR/8000", "PCMU/8000", "PCMA/8000"} {
		if !strings.Contains(string(offer(here, 1)), " "+name+"\r\n") {
			t.Errorf("%s is not offered", name)
		}
	}
}

// Whatever is offered: an answer has a line for each stream, and only encodings that were offered.
func FuzzAnswer(f *testing.F) {
	f.Add(described("m=audio 4000 RTP/AVP 96 0", "a=rtpmap:96 opus/48000/2", "m=video 0 RTP/AVP 97"))
	f.Add([]byte("m=audio 1 RTP/AVP\nm=\na=rtpmap: \na=fmtp:0\n\r\nm=audio 1 RTP/AVPF 0 8 0"))

	f.Fuzz(func(t *testing.T, offered []byte) {
		text, ok := answer(offered, here, 1)

		_, asked := sections(offered)
		_, said := sections(text)

		if len(asked) != len(said) {
			t.Fatalf("%d streams in the answer to %d", len(said), len(asked))
		}

		live := 0

		for i, s := range said {
			if s.kind != asked[i].kind || s.transport != asked[i].transport || len(s.payloads) > len(asked[i].payloads) {
				t.Errorf("%v answers %v", s, asked[i])
			}

			if s.port != "0" {
				live++
			}
		}

		if live > 1 || ok != (live == 1) {
			t.Errorf("%d streams, and %v", live, ok)
		}
	})
}
