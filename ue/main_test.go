package main

import (
	"strings"
	"testing"
)

func TestParty(t *testing.T) {
	for typed, want := range map[string]string{
		"+15550002": "tel:+15550002", "tel:+15550002": "tel:+15550002", "+1-555-0002": "tel:+15550002", "+1 (555) 0002": "tel:+15550002",
		"tel:+1 555 0002": "tel:+15550002", "TEL:+1.555.0002": "tel:+15550002",
		"tel:555-0002;phone-context=ims.example": "tel:5550002;phone-context=ims.example",
		"15550002":                               "tel:15550002;phone-context=ims.example",
		"5550002":                                "tel:5550002;phone-context=ims.example",
		"555 0002":                               "tel:5550002;phone-context=ims.example",
		"112":                                    "tel:112;phone-context=ims.example",
		"sip:bob@ims.example":                    "sip:bob@ims.example",
		"urn:service:sos":                        "urn:service:sos", "bob": "sip:bob@ims.example",
		"bob@other.example": "sip:bob@other.example",
		"":                  "", "+": "", "+1555x002": "", "a b": "", "@": "", "sip:bob smith@ims.example": "",
	} {
		got, err := party(typed, "ims.example")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "tel:+15550002") {
			t.Errorf("%q: %v does not say how", typed, err)
		}
	}
}
