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
		// RFC 3261 §19.1.4, RFC 3966 §3 and §5.1.5, and what does not fit the grammar
		"sip:%61lice%3b@h":                           "sip:alice%3B@h",
		"sip:1234;phone-context=x@H:5060;user=phone": "sip:1234;phone-context=x@h",
		"sip:+1555;phone-context=x@h;user=phone":     "tel:+1555",
		"sips:+1555@h;user=phone?Subject=a":          "tel:+1555",
		"sip:a@h?x=;user=phone":                      "sip:a@h",
		"tel:12-34;isub=1;Phone-Context=IMS.Example": "tel:1234;phone-context=ims.example",
		"tel:12;phone-context=+1-555":                "tel:12;phone-context=+1555",
		"tel:*21%23":                                 "tel:*21%23",
		"tel:*21#":                                   "",
		"tel:+21%23":                                 "",
		"tel:*21%2":                                  "",
		"sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org": "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org",
		"sip:+1555000%31@h":                "sip:+15550001@h",
		"sip:+15550001:pw@h":               "sip:+15550001@h",
		"sip:%2b1555000%31:p%77@h":         "sip:+15550001@h",
		"sip:+1555000%31:pw@h;user=phone":  "tel:+15550001",
		"sip:%2B1-555-000%31@h;user=phone": "tel:+15550001",
		"sip:+1555%2e0001@h;user=phone":    "tel:+15550001",
		"tel:+1555000%31":                  "tel:+15550001",
		"tel:%2A21%23;phone-context=h":     "tel:*21%23;phone-context=h",
		"sip:a%2Bb@h":                      "sip:a%2Bb@h",
		"sip:+1555%3B1@h;user=phone":       "",
		"tel:+1555%3":                      "",
		"tel:+":                            "",
		"tel:+1*2":                         "",
		"tel:12;phone-context=":            "",
		"sip:a@b@c":                        "",
		"sip:@h":                           "",
		"sip:a%4@h":                        "",
		"sip:a%zz@h":                       "",
		"sip:a@h\r\nVia: x":                "",
		"sip:a@[::1":                       "",
		"sip:a@[::1]x":                     "",
		"sip:a b@h":                        "",
		"sip:a@h h":                        "",
	} {
		if got, err := CanonicalIdentity(uri); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q %v, want %q", uri, got, err, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for uri, want := range map[string]string{
		"tel:+1-555":                     "+1555",
		"sip:1234;phone-context=x@h":     "1234",
		"TEL:112;phone-context=h":        "112",
		"tel:+":                          "",
		"sip:+1555@h;user=phone":         "+1555",
		"sip:911@h":                      "911",
		"tel:*21%23;phone-context=h":     "*21#",
		"sip:%23%23@h;user=phone":        "##",
		"tel:*21#":                       "",
		"tel:%31":                        "1",
		"sip:alice@h":                    "",
		"sip:h":                          "",
		"sip:+1555000%31@h":              "+15550001",
		"sip:+15550001:pw@h":             "+15550001",
		"sip:+15550001:p;w@h;user=phone": "+15550001",
		"sip:%2B15550001@h":              "+15550001",
		"sip:+1555%3b0001@h":             "",
		"tel:+1555000%31":                "+15550001",
		"sip:+1555000%31;x=y:pw@h":       "+15550001",
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

func TestCanonicalIdentityCostsNothingTwice(t *testing.T) {
	for _, uri := range []string{"sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org", "tel:+15551234", "sip:a@[2001:db8::1]"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = CanonicalIdentity(uri) }); n != 0 {
			t.Errorf("%s: %v allocations", uri, n)
		}
	}
}

func TestSameIdentity(t *testing.T) {
	if !SameIdentity("sip:+1-555@h;user=phone", "tel:+1555") || SameIdentity("sip:a@h", "sip:A@h") || SameIdentity("x", "x") {
		t.Error("identities are compared wrongly")
	}
}

func TestIdentitiesOfACardWithoutISIM(t *testing.T) {
	domain, err := HomeDomain("001010000000001", 2)
	if err != nil {
		t.Fatal(err)
	}

	if got, want := PrivateIdentity("001010000000001", domain), "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"; got != want {
		t.Errorf("TS 23.003 13.3: %s, want %s", got, want)
	}
	if got, want := TemporaryPublicIdentity("001010000000001", domain), "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org"; got != want {
		t.Errorf("TS 23.003 13.4B: %s, want %s", got, want)
	}
	public := TemporaryPublicIdentity("001010000000001", domain) + ":5060;x=y"
	if got, want := PrivateFromPublic(public), PrivateIdentity("001010000000001", domain); got != want {
		t.Errorf("TS 24.229 5.3.1.2: %s, want %s", got, want)
	}
}

func BenchmarkCanonicalIdentity(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = CanonicalIdentity("sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org")
	}
}

func FuzzText(f *testing.F) {
	f.Add("sip:a@b;x=y")
	f.Add(`icid-value="a";b`)
	f.Add("sip:%2B1-555000%31;a=b:pw@h;user=phone")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := CanonicalIdentity(s); err == nil {
			if again, err := CanonicalIdentity(c); err != nil || again != c {
				t.Errorf("%q became %q, and that %q (%v)", s, c, again, err)
			}
			if Number(s) != Number(c) { // what is found by the one must be priced by the other
				t.Errorf("%q has the number %q, %q has %q", s, Number(s), c, Number(c))
			}
		}
		_, _ = ParseChargingVector(s), Number(s)
	})
}
