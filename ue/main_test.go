package main

import (
	"strings"
	"testing"
)

func TestParty(t *testing.T) {
	for typed, want := range map[string]string{
		"+15550002": "tel:+15550002", "15550002": "tel:+15550002", "tel:+15550002": "tel:+15550002",
		"sip:bob@ims.example": "sip:bob@ims.example",
		"urn:service:sos":     "urn:service:sos", "bob": "sip:bob@ims.example",
		"bob@other.example": "sip:bob@other.example", "+1-555-0002": "tel:+1-555-0002",
		"": "", "+": "", "112": "", "+1555x002": "", "a b": "", "@": "",
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
