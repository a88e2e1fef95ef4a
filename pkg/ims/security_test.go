package ims

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The forms of Security-Client that handsets really send; the comments name the public reports.
var securityClients = map[string]struct {
	field string
	want  []string // alg/ealg spi-c spi-s port-c port-s
}{
	"docker_open5gs#458: parameters before algorithms": {
		"ipsec-3gpp;prot=esp;mod=trans;spi-c=74618;spi-s=74619;port-c=8001;port-s=8000;alg=hmac-md5-96;ealg=des-ede3-cbc, " +
			"ipsec-3gpp;prot=esp;mod=trans;spi-c=74618;spi-s=74619;port-c=8001;port-s=8000;alg=hmac-md5-96;ealg=aes-cbc, " +
			"ipsec-3gpp;prot=esp;mod=trans;spi-c=74618;spi-s=74619;port-c=8001;port-s=8000;alg=hmac-md5-96;ealg=null",
		[]string{
			"hmac-md5-96/des-ede3-cbc 74618 74619 8001 8000", "hmac-md5-96/aes-cbc 74618 74619 8001 8000",
			"hmac-md5-96/null 74618 74619 8001 8000",
		},
	},
	"open5gs#564: no space after the comma, sha-1 first": {
		"ipsec-3gpp;alg=hmac-sha-1-96;prot=esp;mod=trans;ealg=des-ede3-cbc;spi-c=46903775;spi-s=56984977;port-c=31422;port-s=31892," +
			"ipsec-3gpp;alg=hmac-md5-96;prot=esp;mod=trans;ealg=null;spi-c=46903775;spi-s=56984977;port-c=31422;port-s=31892",
		[]string{"hmac-sha-1-96/des-ede3-cbc 46903775 56984977 31422 31892", "hmac-md5-96/null 46903775 56984977 31422 31892"},
	},
	"open5gs#337: spaces, no prot, no mod": {
		"ipsec-3gpp; alg=hmac-md5-96; ealg=des-ede3-cbc; spi-c=3209021766; spi-s=1275621893; port-c=44596; port-s=42306,ipsec-3gpp; " +
			"alg=hmac-sha-1-96; ealg=aes-cbc; spi-c=3209021766; spi-s=1275621893; port-c=44596; port-s=42306",
		[]string{"hmac-md5-96/des-ede3-cbc 3209021766 1275621893 44596 42306", "hmac-sha-1-96/aes-cbc 3209021766 1275621893 44596 42306"},
	},
	"no ealg, quotes, case, leading zeros": {
		`IPSEC-3GPP ; ALG = "HMAC-SHA-1-96" ;SPI-C=0000098765; spi-s=0000087654;port-c=5062;port-s=5064;q=0.1;`,
		[]string{"hmac-sha-1-96/null 98765 87654 5062 5064"},
	},
}

func TestSecurityClientOfRealHandsets(t *testing.T) {
	for name, test := range securityClients {
		t.Run(name, func(t *testing.T) {
			mechanisms, err := ParseSecurity(test.field)
			if err != nil {
				t.Fatal(err)
			}

			var got []string
			for _, m := range mechanisms {
				if err := m.Usable(); err != nil {
					t.Errorf("%s: %v", m, err)
				}
				if m.Protocol != "esp" || m.Mode != "trans" {
					t.Errorf("%s: %s %s", m, m.Protocol, m.Mode)
				}
				got = append(
					got,
					fmt.Sprintf("%s/%s %d %d %d %d", m.Algorithm, m.EncryptionAlgorithm, m.SPIClient, m.SPIServer, m.PortClient, m.PortServer),
				)
			}
			if g, w := strings.Join(got, "\n"), strings.Join(test.want, "\n"); g != w {
				t.Errorf("read\n%s\nwant\n%s", g, w)
			}

			again, err := ParseSecurity(FormatSecurity(mechanisms))
			if err != nil || !SameSecurity(mechanisms, again) {
				t.Errorf("written and read again: %v, %s", err, FormatSecurity(again))
			}
			for i := range again {
				if again[i].Text != mechanisms[i].Text {
					t.Errorf("%q became %q", mechanisms[i].Text, again[i].Text)
				}
			}
		})
	}
}

func TestSecurityMechanismNotUsable(t *testing.T) {
	good := "ipsec-3gpp;alg=hmac-md5-96;spi-c=1000;spi-s=1001;port-c=5001;port-s=5000"
	if m, err := ParseSecurity(good); err != nil || m[0].Usable() != nil {
		t.Fatalf("%v %v", m, err)
	}

	for name, field := range map[string]string{
		"another mechanism":      "tls;q=0.1",
		"no SPI":                 "ipsec-3gpp;alg=hmac-md5-96;port-c=5001;port-s=5000",
		"a reserved SPI":         strings.Replace(good, "spi-c=1000", "spi-c=255", 1),
		"the same SPI twice":     strings.Replace(good, "spi-c=1000", "spi-c=1001", 1),
		"an SPI of 33 bits":      strings.Replace(good, "spi-c=1000", "spi-c=4294967296", 1),
		"a word for an SPI":      strings.Replace(good, "spi-c=1000", "spi-c=abc", 1),
		"a port beyond 65535":    strings.Replace(good, "port-c=5001", "port-c=65536", 1),
		"port 0":                 strings.Replace(good, "port-c=5001", "port-c=0", 1),
		"the same port twice":    strings.Replace(good, "port-c=5001", "port-c=5000", 1),
		"authentication header":  good + ";prot=ah",
		"no algorithm":           strings.Replace(good, "alg=hmac-md5-96;", "", 1),
		"a parameter twice":      good + ";spi-c=1000",
		"a preference above one": good + ";q=1.1",
		"a preference of words":  good + ";q=high",
	} {
		mechanisms, err := ParseSecurity(field + ", " + good)
		if err != nil || len(mechanisms) != 2 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := mechanisms[0].Usable(); !errors.Is(err, errNotUsable) {
			t.Errorf("%s: %v", name, err)
		}
		if err := mechanisms[1].Usable(); err != nil {
			t.Errorf("%s spoils its neighbour: %v", name, err)
		}
	}

	for _, field := range []string{";alg=x", `ipsec-3gpp;alg="x`, "ipsec-3gpp;alg=a\r\nVia: x", "a b;c", strings.Repeat("x,", 200)} {
		if m, err := ParseSecurity(field); err == nil {
			t.Errorf("%q was read as %+v", field, m)
		}
	}
}

func TestSecurityVerifyRepeatsSecurityServer(t *testing.T) {
	sent := []SecurityMechanism{{
		Name: IPsec3GPP, Preference: 100, Algorithm: "hmac-sha-1-96", Protocol: "esp", Mode: "trans", EncryptionAlgorithm: "aes-cbc",
		SPIClient: 4096, SPIServer: 4097, PortClient: 5100, PortServer: 5101,
	}, {
		Name: IPsec3GPP, Preference: NoPreference, Algorithm: "hmac-md5-96", EncryptionAlgorithm: "null",
		SPIClient: 4096, SPIServer: 4097, PortClient: 5100, PortServer: 5101,
	}}

	field := FormatSecurity(sent)
	want := "ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;prot=esp;mod=trans;ealg=aes-cbc;spi-c=4096;spi-s=4097;port-c=5100;port-s=5101, " +
		"ipsec-3gpp;alg=hmac-md5-96;ealg=null;spi-c=4096;spi-s=4097;port-c=5100;port-s=5101"
	if field != want {
		t.Errorf("written %s\nwant    %s", field, want)
	}

	for name, test := range map[string]struct {
		verify string
		same   bool
	}{
		"RFC 3329 2.3.1 to the letter": {field, true},
		"other spacing and q=0.100":    {strings.NewReplacer(";", " ; ", "q=0.1", "q=0.100").Replace(field), true},
		"in the other order":           {strings.Join([]string{strings.Split(field, ", ")[1], strings.Split(field, ", ")[0]}, ","), true},
		"a default written out":        {field + ";prot=esp", true},
		"one mechanism left out":       {strings.Split(field, ", ")[0], false},
		"a weaker algorithm":           {strings.Replace(field, "aes-cbc", "null", 1), false},
		"another SPI":                  {strings.Replace(field, "spi-s=4097", "spi-s=4098", 1), false},
		"another preference":           {strings.Replace(field, "q=0.1", "q=0.2", 1), false},
		"a parameter more":             {field + ";x=y", false},
	} {
		verify, err := ParseSecurity(test.verify)
		if err != nil {
			t.Fatal(err)
		}
		if got := SameSecurity(sent, verify); got != test.same {
			t.Errorf("%s: %v for %s", name, got, test.verify)
		}
	}
}
