package diameter_test

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

// The text of a message has its AVPs by their names, each below the group that it is in.
func TestText(t *testing.T) {
	d := dictionary(t)

	q := &rx.AAR{
		RequestHeader: request(), FramedIPAddress: rx.FramedIPv4(netip.MustParseAddr("10.45.0.2")),
		SupportedFeatures: rx.Features(rx.FeatureRel8),
		MediaComponents: []rx.MediaComponent{{
			Number: 1, MediaType: new(rx.Audio), FlowStatus: new(rx.Enabled), MaxRequestedUL: ptr[uint32](80000),
			SubComponents: []rx.SubComponent{{FlowNumber: 1, FlowDescriptions: []string{"permit in 17 from 10.45.0.2 to 192.0.2.1 40000"}}},
		}},
	}
	text := d.Text(serialized(t, d, q))

	for _, want := range []string{
		"\nFramed-IP-Address: 10.45.0.2\n", "\nAuth-Application-Id: 16777236\n", "\nMedia-Component-Description:\n",
		"\n  Media-Component-Number: 1\n", "\n  Media-Type: AUDIO (0)\n", "\n  Flow-Status: ENABLED (2)\n",
		"\n  Max-Requested-Bandwidth-UL: 80000\n", "\n  Media-Sub-Component:\n    Flow-Number: 1\n",
		"\n    Flow-Description: permit in 17 from 10.45.0.2 to 192.0.2.1 40000\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	if first, _, _ := strings.Cut(text, "\n"); first != "Session-Id: "+q.SessionID {
		t.Errorf("it begins with %q", first)
	}
}

// What no dictionary knows, and what is cut off, is shown all the same.
func TestTextOfTheUnknown(t *testing.T) {
	d := dictionary(t)

	for avps, want := range map[string]string{
		"\x00\x00\x04\xd2\x80\x00\x00\x0e\x00\x00\x00\x07\x01\xff\x00\x00": "AVP 1234 of vendor 7: 0x01ff\n",
		"\x00\x00\x01\x0c\x40\x00\x00\x63":                                 "(AVP 268: length 99 of 8 octets)\n",
		"\x00\x00\x01\x0c\x40\x00\x00\x09\x07\x00\x00\x00":                 "Result-Code: 0x07\n",
		"\x00\x00\x01\x07\x40\x00\x00\x0a\xff\x0a\x00\x00":                 "Session-Id: 0xff0a\n",
		"\x00\x00\x00\x37\x40\x00\x00\x0c\x83\xaa\x7e\x80":                 "Event-Timestamp: 1970-01-01T00:00:00Z\n",
		"\x00\x00\x01\x01\x40\x00\x00\x0e\x00\x01\xc0\x00\x02\x01\x00\x00": "Host-IP-Address: 192.0.2.1\n",
	} {
		if got := d.Text(append(make([]byte, 20), avps...)); got != want {
			t.Errorf("%x: %q, want %q", avps, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	d := dictionary(f)

	for _, command := range commands {
		f.Add(serialized(f, d, filled(command(), new(everything))))
	}
	for _, raw := range hostile() {
		f.Add(raw)
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		text := d.Text(raw)
		if !utf8.ValidString(text) || len(text) > 200*(len(raw)+1) {
			t.Errorf("%d octets of text of %d", len(text), len(raw))
		}
	})
}
