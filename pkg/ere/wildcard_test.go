package ere

import (
	"strings"
	"testing"
)

func TestWildcard(t *testing.T) {
	for _, test := range []struct{ wildcard, matches, not string }{
		{
			"sip:chat-!.*!@example.org",
			"sip:chat-12@example.org sip:chat-@example.org",
			"sip:chat@example.org sip:chat-12@example.com xsip:chat-1@example.org",
		},
		// as in criteria: \d is what authors mean by it
		{`sip:!\d{3}!@example.org`, "sip:555@example.org", "sip:5555@example.org sip:55a@example.org"},
		{`sip:room[\.]!a|ab!@x`, `sip:room[\.]ab@x sip:room[\.]a@x`, "sip:room.ab@x"},
		{"tel:!^[+]1555.*$!", "tel:+15550001", "tel:+1444"},
		{"sip:!a)(b!@x", "", "sip:ab@x"}, // what is open inside does not reach out
	} {
		w, err := ParseWildcard(test.wildcard)
		if err != nil {
			if test.matches != "" {
				t.Errorf("%s: %v", test.wildcard, err)
			}
			continue
		}
		for _, identity := range strings.Fields(test.matches) {
			if !w.Matches(identity) {
				t.Errorf("%s does not match %s", test.wildcard, identity)
			}
		}
		for _, identity := range strings.Fields(test.not) {
			if w.Matches(identity) {
				t.Errorf("%s matches %s", test.wildcard, identity)
			}
		}
	}

	for _, none := range []string{"sip:a@b", "sip:a!b@c"} {
		if w, err := ParseWildcard(none); w != nil || err != nil {
			t.Errorf("%s is a wildcard: %v", none, err)
		}
	}

	for _, bad := range []string{"sip:!(!@x", `sip:!\1!@x`, "sip:!*!@x"} {
		if _, err := ParseWildcard(bad); err == nil {
			t.Errorf("%s is none that can be used", bad)
		}
	}
}
