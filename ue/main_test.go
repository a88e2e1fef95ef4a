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

// A handset without a registration has no card, and nothing that takes one.
func TestUnregistered(t *testing.T) {
	for _, o := range []options{{unregistered: true, emergency: true}, {unregistered: true, ipsec: true}, {}} {
		o.address = "127.0.0.110:5060"
		if _, err := o.config(t.Context()); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}

	o := options{unregistered: true, imei: "350000000000011", imsi: "001010000000003", address: "127.0.0.110:5060"}
	if c, err := o.config(t.Context()); err != nil || c.IMSI != "" || !c.Unregistered || c.Instance != "urn:gsma:imei:35000000-000001-0" {
		t.Errorf("%+v, %v", c, err)
	}
}

// RFC 7254 §4: an IMEI as a URN.
func TestInstance(t *testing.T) {
	for imei, want := range map[string]string{
		"350000000000011": "urn:gsma:imei:35000000-000001-0", "490154203237518": "urn:gsma:imei:49015420-323751-0",
		"": "", "35000000000001": "", "3500000000000112": "", "35000000000001x": "",
	} {
		if got, err := instance(imei); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", imei, got, err)
		}
	}
}
