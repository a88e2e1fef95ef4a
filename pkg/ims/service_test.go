package ims

import "testing"

const mmtel = "urn:urn-7:3gpp-service.ims.icsi.mmtel"

func TestService(t *testing.T) {
	for value, want := range map[string]string{
		mmtel:                                    mmtel,
		" URN:urn-7:3gpp-Service.ims.icsi.mmtel": mmtel,
		"urn:urn-7:":                             "",
		"urn:urn-7:a..b":                         "",
		"urn:urn-7:a b":                          "",
		"urn:urn-7:a;x=y":                        "",
		"urn:service:sos":                        "",
		"3gpp-service.ims.icsi.mmtel":            "",
		"":                                       "",
	} {
		if got, ok := Service(value); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", value, got, ok, want)
		}
	}
}

func TestIncludes(t *testing.T) {
	for _, test := range []struct {
		subscribed, service string
		want                bool
	}{
		{mmtel, mmtel, true},
		{"3gpp-service.ims.icsi.MMTEL", mmtel, true},
		{mmtel, mmtel + ".gaming", true},
		{mmtel + ".gaming", mmtel, false},
		{mmtel, mmtel + "x", false},
		{"", mmtel, false},
	} {
		if got := Includes(test.subscribed, test.service); got != test.want {
			t.Errorf("%s includes %s: %v", test.subscribed, test.service, got)
		}
	}
}

func FuzzService(f *testing.F) {
	f.Add(mmtel)
	f.Fuzz(func(t *testing.T, value string) {
		if urn, ok := Service(value); ok {
			if again, ok := Service(urn); !ok || again != urn || !Includes(urn, urn) {
				t.Errorf("%q is %q, and that %q", value, urn, again)
			}
		}
	})
}
