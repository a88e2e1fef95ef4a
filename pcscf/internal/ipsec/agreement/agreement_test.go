package agreement

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func register(t testing.TB, headers ...string) *sip.Request {
	r, err := sip.NewRequest("REGISTER", "sip:ims.mnc001.mcc001.3gppnetwork.org")
	if err != nil {
		t.Fatal(err)
	}

	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		sip.Add(r, name, value)
	}

	return r
}

// Offers of handsets, from public trackers, and the choice among all suites in order of preference.
func TestChoose(t *testing.T) {
	const (
		samsung = `ipsec-3gpp;prot=esp;mod=trans;spi-c=74618;spi-s=74619;port-c=8001;port-s=8000;alg=hmac-md5-96;ealg=des-ede3-cbc, ` +
			`ipsec-3gpp;prot=esp;mod=trans;spi-c=74618;spi-s=74619;port-c=8001;port-s=8000;alg=hmac-md5-96;ealg=aes-cbc, ` +
			`ipsec-3gpp;prot=esp;mod=trans;spi-c=74618;spi-s=74619;port-c=8001;port-s=8000;alg=hmac-md5-96;ealg=null`
		hisilicon = `ipsec-3gpp;alg=hmac-sha-1-96;prot=esp;mod=trans;ealg=des-ede3-cbc;spi-c=46903775;spi-s=56984977;port-c=31422;port-s=31892,` +
			`ipsec-3gpp;alg=hmac-md5-96;prot=esp;mod=trans;ealg=des-ede3-cbc;spi-c=46903775;spi-s=56984977;port-c=31422;port-s=31892`
		qualcomm = `ipsec-3gpp; alg=hmac-md5-96; ealg=des-ede3-cbc; spi-c=3209021766; spi-s=1275621893; port-c=44596; port-s=42306,` +
			`ipsec-3gpp; alg=hmac-md5-96; ealg=aes-cbc; spi-c=3209021766; spi-s=1275621893; port-c=44596; port-s=42306`
		noEncryption = `ipsec-3gpp;prot=esp;mod=trans;spi-c=1000;spi-s=1001;port-c=6101;port-s=6100;alg=hmac-md5-96;ealg=null, ` +
			`ipsec-3gpp;prot=esp;mod=trans;spi-c=1000;spi-s=1001;port-c=6101;port-s=6100;alg=hmac-sha-1-96`
	)

	for name, c := range map[string]struct {
		client string
		own    []ipsec.Suite
		want   string
	}{
		"one algorithm pair in each value (docker_open5gs#458)": {samsung, ipsec.Suites, "hmac-md5-96/aes-cbc"},
		"no space after the comma (open5gs#564)":                {hisilicon, ipsec.Suites, "hmac-sha-1-96/des-ede3-cbc"},
		"no prot and no mod, spaces (open5gs#337)":              {qualcomm, ipsec.Suites, "hmac-md5-96/aes-cbc"},
		"a missing ealg means null":                             {noEncryption, ipsec.Suites, "hmac-sha-1-96/null"},
		"the P-CSCF's order counts, not the handset's": {noEncryption, []ipsec.Suite{
			{Integrity: ipsec.HMACMD5, Encryption: ipsec.NoEncryption}, {Integrity: ipsec.HMACSHA1, Encryption: ipsec.NoEncryption},
		}, "hmac-md5-96/null"},
		"another mechanism before it": {"tls;q=0.9, " + noEncryption, ipsec.Suites, "hmac-sha-1-96/null"},
		"case does not matter":        {strings.ToUpper(noEncryption), ipsec.Suites, "hmac-sha-1-96/null"},
		"aes-gcm without alg":         {"ipsec-3gpp;ealg=aes-gcm;spi-c=300;spi-s=301;port-c=1;port-s=2", ipsec.Suites, "null/aes-gcm"},
		"aes-gmac":                    {"ipsec-3gpp;alg=aes-gmac;spi-c=300;spi-s=301;port-c=1;port-s=2", ipsec.Suites, "aes-gmac/null"},
		"a bad value does not spoil others": {
			"ipsec-3gpp;alg=hmac-sha-1-96;spi-c=x;spi-s=301;port-c=1;port-s=2, " + noEncryption,
			ipsec.Suites,
			"hmac-sha-1-96/null",
		},
		"a reserved SPI": {"ipsec-3gpp;alg=hmac-sha-1-96;spi-c=255;spi-s=301;port-c=1;port-s=2", ipsec.Suites, ""},
		"tunnel mode is not here": {
			"ipsec-3gpp;alg=hmac-sha-1-96;mod=UDP-enc-tun;spi-c=300;spi-s=301;port-c=1;port-s=2",
			ipsec.Suites,
			"",
		},
		"ah is not here":      {"ipsec-3gpp;alg=hmac-sha-1-96;prot=ah;spi-c=300;spi-s=301;port-c=1;port-s=2", ipsec.Suites, ""},
		"nothing in common":   {hisilicon, []ipsec.Suite{{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC}}, ""},
		"no algorithm at all": {"ipsec-3gpp;alg=null;spi-c=300;spi-s=301;port-c=1;port-s=2", ipsec.Suites, ""},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := Parse(register(t, "Security-Client: "+c.client))
			if err != nil {
				t.Fatal(err)
			}

			choice, err := Choose(c.own, read.Client)

			switch {
			case c.want == "" && !errors.Is(err, errNothingInCommon):
				t.Errorf("got %v, %v", choice, err)
			case c.want != "" && (err != nil || choice.Suite.String() != c.want):
				t.Errorf("got %s, %v", choice.Suite, err)
			}
		})
	}
}

// RFC 3329 §2.2: the header field may occur several times, and sec-agree in either Require.
func TestRead(t *testing.T) {
	read, err := Parse(
		register(t, "Security-Client: ipsec-3gpp;alg=hmac-md5-96;spi-c=300;spi-s=301;port-c=1;port-s=2", "Proxy-Require: foo, Sec-Agree",
			"security-client: tls", "Security-Verify: tls;q=0.2"),
	)
	if err != nil || !read.Demanded || len(read.Client) != 2 || len(read.Verify) != 1 {
		t.Errorf("%+v, %v", read, err)
	}

	if read, err := Parse(register(t)); err != nil || read.Demanded || read.Offered() {
		t.Errorf("%+v, %v", read, err)
	}

	if _, err := Parse(register(t, "Security-Client: "+strings.Repeat("tls,", 64)+"tls")); err == nil {
		t.Error("65 alternatives are read")
	}

	if _, err := Parse(register(t, `Security-Verify: "`)); err == nil {
		t.Error("an open quote is read")
	}
}

// Security-Server is what Security-Verify must repeat, and parses to what was written.
func TestAnswer(t *testing.T) {
	set := ipsec.Set{
		PCSCF: netip.MustParseAddr("192.0.2.1"), Ports: ipsec.Ports{PCSCFClient: 6100, PCSCFServer: 6101},
		SPIs: ipsec.SPIs{PCSCFClient: 4096, PCSCFServer: 4097}, Suite: ipsec.Suite{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC},
	}

	if got, want := ims.FormatSecurity(Answer(set, nil)),
		"ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;prot=esp;mod=trans;ealg=aes-cbc;spi-c=4096;spi-s=4097;port-c=6100;port-s=6101"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	all := Answer(set, ipsec.Suites)
	verify, err := ims.ParseSecurity(strings.ReplaceAll(strings.ToUpper(ims.FormatSecurity(all)), ";", " ; "))

	if err != nil || !ims.SameSecurity(all, verify) {
		t.Errorf("a handset that repeats the list is refused: %v", err)
	}

	if changed, _ := ims.ParseSecurity(strings.Replace(ims.FormatSecurity(all), "4097", "4098", 1)); ims.SameSecurity(all, changed) {
		t.Error("another SPI is taken for the same")
	}

	for i := 1; i < len(all); i++ {
		if all[i].Preference >= all[i-1].Preference {
			t.Errorf("q does not fall: %s", ims.FormatSecurity(all))
		}
	}
}

// What a handset writes into the headers harms nothing.
func FuzzRead(f *testing.F) {
	f.Add(
		"ipsec-3gpp; alg=hmac-md5-96; ealg=des-ede3-cbc; spi-c=3209021766; spi-s=1275621893; port-c=44596; port-s=42306,tls",
		"ipsec-3gpp;q=0.1",
	)
	f.Add(`ipsec-3gpp;alg="hmac-sha-1-96";prot=esp;mod=trans;spi-c=74618;spi-s=74619;port-c=8001;port-s=8000`, ",")
	f.Fuzz(func(t *testing.T, client, verify string) {
		if strings.ContainsAny(client+verify, "\r\n") {
			return
		}

		read, err := Parse(register(t, "Security-Client: "+client, "Security-Verify: "+verify))
		if err != nil {
			return
		}

		choice, err := Choose(ipsec.Suites, read.Client)
		if err != nil {
			return
		}

		if m := choice.Mechanism; m.SPIClient < 256 || m.SPIServer < 256 || m.PortClient == 0 || m.PortServer == 0 {
			t.Errorf("associations cannot be made of %+v", m)
		}
	})
}
