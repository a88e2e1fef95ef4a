package ims

import "testing"

func TestHomeDomain(t *testing.T) {
	for _, test := range []struct {
		imsi string
		mnc  int
		want string
	}{
		{"001010000000001", 2, "ims.mnc001.mcc001.3gppnetwork.org"},
		{"310410123456789", 3, "ims.mnc410.mcc310.3gppnetwork.org"},
		{"00101", 2, ""},
		{"00101000000000x", 2, ""},
		{"001010000000001", 4, ""},
	} {
		if got, err := HomeDomain(test.imsi, test.mnc); got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s/%d: %q %v, want %q", test.imsi, test.mnc, got, err, test.want)
		}
	}
}

func TestCanonicalIdentity(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:Alice@IMS.Example:5060;user=ip":      "sip:Alice@ims.example",
		"sip:+1-555(12)34@ims.example;user=phone": "tel:+15551234",
		"sip:+15551234@ims.example":               "sip:+15551234@ims.example",
		"tel:+1-555-1234;phone-context=x":         "tel:+15551234",
		"SIP:ims.example":                         "sip:ims.example",
		"sip:a@[2001:DB8::1]:5060":                "sip:a@[2001:db8::1]",
		"sip:a:secret@h?x=y":                      "sip:a@h",
		"tel:abc":                                 "",
		"mailto:a@b":                              "",
		"sip:":                                    "",
		"<sip:a@b>":                               "",
	} {
		if got, err := CanonicalIdentity(uri); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q %v, want %q", uri, got, err, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for uri, want := range map[string]string{
		"tel:+1-555": "+1555", "sip:+1555@h;user=phone": "+1555", "sip:911@h": "911", "sip:alice@h": "", "sip:h": "",
	} {
		if got := Number(uri); got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

func TestChargingVector(t *testing.T) {
	given := `icid-value=AyretyU0dm+6O2IrT5tAFrbHLso=023551024;icid-generated-at=192.0.6.8; orig-ioi="home1.net";x=1`
	v := ParseChargingVector(given)
	if v.ICID != "AyretyU0dm+6O2IrT5tAFrbHLso=023551024" || v.OriginatingIOI != "home1.net" || v.GeneratedAt != "192.0.6.8" {
		t.Errorf("read %+v", v)
	}
	want := `icid-value="AyretyU0dm+6O2IrT5tAFrbHLso=023551024";icid-generated-at=192.0.6.8;orig-ioi="home1.net";x=1`
	if v.String() != want {
		t.Errorf("written %s\nwant    %s", v, want)
	}
}

func FuzzText(f *testing.F) {
	f.Add("sip:a@b;x=y")
	f.Add(`icid-value="a";b`)
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := CanonicalIdentity(s); err == nil {
			if again, err := CanonicalIdentity(c); err != nil || again != c {
				t.Errorf("%q became %q, and that %q (%v)", s, c, again, err)
			}
		}
		_, _ = ParseChargingVector(s), Number(s)
	})
}
