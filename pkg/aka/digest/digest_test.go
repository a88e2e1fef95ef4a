package digest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRFC2617Example(t *testing.T) {
	c := Credentials{
		Username: "Mufasa", Realm: "testrealm@host.com", Nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", URI: "/dir/index.html",
		QoP: "auth", NonceCount: "00000001", CNonce: "0a4f113b", Response: "6629fae49393a05397450978507c4ef1",
	}
	if err := c.Verify([]byte("Circle Of Life"), "GET", nil); err != nil {
		t.Error(err)
	}
}

func TestRFC7616Example(t *testing.T) {
	c := Credentials{
		Username: "Mufasa", Realm: "http-auth@example.org", Nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", URI: "/dir/index.html",
		QoP: "auth", NonceCount: "00000001", CNonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", Algorithm: "SHA-256",
		Response: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	}
	if err := c.Verify([]byte("Circle of Life"), "GET", nil); err != nil {
		t.Error(err)
	}
}

func TestParseCredentialsAsHandsetsWriteThem(t *testing.T) {
	want := Credentials{
		Username: "001010000000001@ims.example", Realm: "ims.example", Nonce: "abc==", URI: "sip:ims.example", Response: "00ff",
		Algorithm: "AKAv1-MD5", QoP: "auth", NonceCount: "00000001", CNonce: "x", IntegrityProtected: "yes",
	}

	for name, header := range map[string]string{
		"as built": want.String(),
		"odd spacing": `Digest  username="001010000000001@ims.example" , realm = ` +
			`"ims.example",nonce="abc==",uri="sip:ims.example",response="00ff",algorithm=AKAv1-MD5,qop=auth,nc=00000001,cnonce="x",` +
			`integrity-protected="yes",`,
		"case and quotes": `digest Username="001010000000001@ims.example", Realm="ims.example", Nonce="abc==", URI="sip:ims.example", ` +
			`Response="00ff", Algorithm="AKAv1-MD5", Qop="auth", NC="00000001", CNonce=x, integrity-protected=yes`,
		"unknown besides":       want.String() + `, vendor="1,2"`,
		"a tab, a closing line": "DIGEST\t" + strings.TrimPrefix(want.String(), "Digest ") + " \r\n",
		"quotes all over": strings.NewReplacer(
			"=AKAv1-MD5",
			`="AKAv1-MD5"`,
			"=auth,",
			`="auth",`,
			"nc=00000001",
			`nc="00000001"`,
		).Replace(want.String()),
		"lines in between": "Digest username=\"001010000000001@ims.example\",\r\n" +
			" realm=\"ims.example\",nonce=abc==,uri=\"sip:ims.example\",response=\"00ff\",algorithm=AKAv1-MD5,qop=auth,nc=00000001,cnonce=\"x\"," +
			"integrity-protected=yes",
	} {
		got, err := ParseCredentials(header)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, header := range []string{
		"", "Basic x", `Digest realm="a", realm="b"`, `Digest realm="a`, `Digest realm`, `Digest ="x"`, "Digestrealm=x",
		"Digest realm=\"a\r\nVia: x\"", `Digest a b=c`, `Digest realm="a", REALM=b`, "Digest " + strings.Repeat("x", maxHeader),
	} {
		if c, err := ParseCredentials(header); err == nil {
			t.Errorf("%q was read as %+v", header, c)
		}
	}
}

func TestChallengeIsRebuilt(t *testing.T) {
	given := `Digest realm="ims.example",nonce="n==",algorithm=AKAv1-MD5,qop="auth,auth-int",ik="00",ck="11"`

	c, err := ParseChallenge(given)
	if err != nil {
		t.Fatal(err)
	}
	if c.IK != "00" || c.CK != "11" || len(c.QoP) != 2 {
		t.Errorf("read %+v", c)
	}

	c.IK, c.CK = "", "" // what the P-CSCF does
	if want := `Digest realm="ims.example",nonce="n==",algorithm=AKAv1-MD5,qop="auth,auth-int"`; c.String() != want {
		t.Errorf("rebuilt %s\nwant    %s", c, want)
	}
}

func TestAnswerIsVerified(t *testing.T) {
	body, password := []byte("body"), []byte{1, 2, 0, 255}

	for _, qop := range [][]string{nil, {"auth"}, {"auth-int"}, {"auth", "auth-int"}} {
		for _, algorithm := range []string{AKAv1MD5, MD5, SHA256, ""} {
			c, err := Answer(Challenge{Realm: "r", Nonce: "n", Algorithm: algorithm, QoP: qop}, "u", password, "REGISTER", "sip:r", body, 1, "c")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Verify(password, "REGISTER", body); err != nil {
				t.Errorf("%v %s: %v", qop, algorithm, err)
			}
			if err := c.Verify([]byte{9}, "REGISTER", body); !errors.Is(err, ErrResponse) {
				t.Errorf("%v %s with a wrong password: %v", qop, algorithm, err)
			}
			if err := c.Verify(password, "INVITE", body); !errors.Is(err, ErrResponse) {
				t.Errorf("%v %s with another method: %v", qop, algorithm, err)
			}
			if c.QoP == "auth-int" {
				if err := c.Verify(password, "REGISTER", []byte("other")); !errors.Is(err, ErrResponse) {
					t.Errorf("%v %s with another body: %v", qop, algorithm, err)
				}
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	if err := (Credentials{Algorithm: "ROT13", Username: "u"}).Verify(nil, "REGISTER", nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("an unknown algorithm: %v", err)
	}
	if err := (Credentials{Username: "u", Nonce: "n", URI: "x"}).Verify(nil, "REGISTER", nil); !errors.Is(err, ErrMissing) {
		t.Errorf("no response: %v", err)
	}
}

func TestNonce(t *testing.T) {
	rand, autn := [16]byte{1, 2, 3}, [16]byte{4, 5, 6}
	nonce := AKANonce(rand, autn)

	for _, text := range []string{nonce, nonce[:len(nonce)-1]} {
		r, a, err := ParseAKANonce(text)
		if err != nil || r != rand || a != autn {
			t.Errorf("%s: %x %x %v", text, r, a, err)
		}
	}
	if _, _, err := ParseAKANonce("AAAA"); err == nil {
		t.Error("a short nonce was read")
	}

	auts, err := ParseAUTS(EncodeAUTS([14]byte{7}))
	if err != nil || auts != [14]byte{7} {
		t.Errorf("auts: %x %v", auts, err)
	}
}

// A handset must not be able to say what only the P-CSCF may say (TS 24.229 §5.2.2), by hiding it in a value that is written
// without quotes.
func TestWhatIsQuotedStaysInside(t *testing.T) {
	c, err := ParseCredentials(`Digest username="u",algorithm="MD5,integrity-protected=yes",qop="auth,auts=\"x\"",nc="1 2"`)
	if err != nil || c.IntegrityProtected != "" {
		t.Fatalf("%+v %v", c, err)
	}
	again, err := ParseCredentials(c.String())
	if diff := cmp.Diff(c, again); err != nil || diff != "" {
		t.Errorf("%s: %v\n%s", c, err, diff)
	}
}

// RFC 3310 §3.4: with auts the password is empty; §3.3: a password is the octets of RES.
func TestAKAAnswers(t *testing.T) {
	ch := Challenge{Realm: "r", Nonce: AKANonce([16]byte{1}, [16]byte{2}), Algorithm: AKAv1MD5, QoP: []string{"auth-conf", "auth"}}

	c, err := Answer(ch, "u", nil, "REGISTER", "sip:r", nil, 0x1F, "c")
	if err != nil {
		t.Fatal(err)
	}
	c.AUTS = EncodeAUTS([14]byte{9})

	read, err := ParseCredentials(c.String())
	if err != nil || read.AUTS != c.AUTS || read.Verify(nil, "REGISTER", nil) != nil {
		t.Errorf("%+v %v", read, err)
	}
	if n, err := read.Count(); n != 0x1F || err != nil || read.NonceCount != "0000001f" {
		t.Errorf("nc %s: %d %v", read.NonceCount, n, err)
	}
	if _, err := (Credentials{NonceCount: "-1"}).Count(); err == nil {
		t.Error("nc -1 is a number")
	}
}

// The passwords of version 2 were computed with another implementation, as RFC 4169 §3 says: HMAC with the key RES || IK || CK.
func TestAKAPassword(t *testing.T) {
	res := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for algorithm, want := range map[string]string{
		"": string(res), AKAv1MD5: string(res), AKAv2MD5: "tNVpP3fD//xzwOpe5Y1wig==", "akav2-md5": "tNVpP3fD//xzwOpe5Y1wig==",
		AKAv2SHA256: "8e2pFo8CBBWOnZQt6OFosVwd4Z/KlEWAnmUMpEnYtXA=", "AKAv3-MD5": "", MD5: "",
	} {
		got, err := AKAPassword(algorithm, res, [16]byte{0x11}, [16]byte{0x22})
		if string(got) != want || (want == "") != errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: %s, %v, want %s", algorithm, got, err, want)
		}
	}
}

// Each algorithm of AKA is verified by its own hash.
func TestAKAAlgorithms(t *testing.T) {
	for _, algorithm := range AKAAlgorithms {
		c, err := Answer(
			Challenge{Realm: "r", Nonce: "n", Algorithm: algorithm, QoP: []string{"auth"}},
			"u",
			[]byte("p"),
			"REGISTER",
			"sip:r",
			nil,
			1,
			"c",
		)
		if err != nil || c.Algorithm != algorithm {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if err := c.Verify([]byte("p"), "REGISTER", nil); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if err := c.Verify([]byte("q"), "REGISTER", nil); !errors.Is(err, ErrResponse) {
			t.Errorf("%s with another password: %v", algorithm, err)
		}
		if octets := len(c.Response) / 2; octets != map[bool]int{true: 32, false: 16}[algorithm == AKAv2SHA256] {
			t.Errorf("%s: a response of %d octets", algorithm, octets)
		}
	}
}

func TestVerifyHA1(t *testing.T) {
	for _, algorithm := range []string{MD5, SHA256, SHA512256} {
		ha1, err := HA1(algorithm, "u", "r", "secret")
		if err != nil {
			t.Fatal(err)
		}
		c, err := Answer(
			Challenge{Realm: "r", Nonce: "n", Algorithm: algorithm, QoP: []string{"auth"}},
			"u",
			[]byte("secret"),
			"REGISTER",
			"sip:r",
			nil,
			1,
			"c",
		)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.VerifyHA1(ha1, "REGISTER", nil); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if err := c.VerifyHA1(ha1[1:]+"0", "REGISTER", nil); !errors.Is(err, ErrResponse) {
			t.Errorf("%s with another HA1: %v", algorithm, err)
		}
	}
	if _, err := HA1("MD5-sess", "u", "r", "p"); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("MD5-sess: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`Digest username="a\"b", realm=, nonce="", uri=x, response="", auts="AAAA"`)
	f.Add(`Digest ,,,a="b`)
	f.Fuzz(func(t *testing.T, header string) {
		c, err := ParseCredentials(header)
		if err != nil {
			return
		}
		_ = c.Verify([]byte("x"), "REGISTER", nil)
		if again, err := ParseCredentials(c.String()); err != nil || again != c {
			t.Errorf("%+v became %+v: %v", c, again, err)
		}
		_, _ = c.Count()
		_, _, _ = ParseAKANonce(c.Nonce)
		_, _ = ParseAUTS(c.AUTS)
		ch, err := ParseChallenge(header)
		if err != nil {
			t.Errorf("credentials were read and the challenge was not: %v", err)
		}
		if again, err := ParseChallenge(ch.String()); err != nil || !cmp.Equal(again, ch) {
			t.Errorf("%+v became %+v: %v", ch, again, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	c, _ := Answer(
		Challenge{Realm: "r", Nonce: "n", Algorithm: AKAv1MD5, QoP: []string{"auth"}},
		"u",
		[]byte("p"),
		"REGISTER",
		"sip:r",
		nil,
		1,
		"c",
	)
	for b.Loop() {
		_ = c.Verify([]byte("p"), "REGISTER", nil)
	}
}
