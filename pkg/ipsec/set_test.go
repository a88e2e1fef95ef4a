package ipsec

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// TS 33.203 annex I: the keys of each suite from IK and CK.
func TestExpand(t *testing.T) {
	ik, ck := [16]byte([]byte("IKIKIKIKIKIKIKIK")), [16]byte([]byte("CKCKCKCKCKCKCKCK"))
	i, c, zero := hex.EncodeToString(ik[:]), hex.EncodeToString(ck[:]), "00000000"

	for _, suite := range Suites {
		t.Run(suite.String(), func(t *testing.T) {
			got, err := Expand(suite, ik, ck)
			if err != nil {
				t.Fatal(err)
			}

			text := ""
			for _, a := range []*Algorithm{got.AEAD, got.Integrity, got.Encryption} {
				if a != nil {
					text += fmt.Sprintf("%s %x/%d ", a.Name, a.Key, a.Length)
				}
			}

			want := map[string]string{
				"null/aes-gcm":               "rfc4106(gcm(aes)) " + c + zero + "/128",
				"aes-gmac/null":              "rfc4543(gcm(aes)) " + i + zero + "/128",
				"hmac-sha-256-128/aes-cbc":   "hmac(sha256) " + i + i + "/128 cbc(aes) " + c + "/0",
				"hmac-sha-256-128/null":      "hmac(sha256) " + i + i + "/128 ecb(cipher_null) /0",
				"hmac-sha-1-96/aes-cbc":      "hmac(sha1) " + i + zero + "/96 cbc(aes) " + c + "/0",
				"hmac-sha-1-96/des-ede3-cbc": "hmac(sha1) " + i + zero + "/96 cbc(des3_ede) " + c + c[:16] + "/0",
				"hmac-sha-1-96/null":         "hmac(sha1) " + i + zero + "/96 ecb(cipher_null) /0",
				"hmac-md5-96/aes-cbc":        "hmac(md5) " + i + "/96 cbc(aes) " + c + "/0",
				"hmac-md5-96/des-ede3-cbc":   "hmac(md5) " + i + "/96 cbc(des3_ede) " + c + c[:16] + "/0",
				"hmac-md5-96/null":           "hmac(md5) " + i + "/96 ecb(cipher_null) /0",
			}[suite.String()]

			if strings.TrimSpace(text) != want {
				t.Errorf("got  %s\nwant %s", text, want)
			}
		})
	}

	for _, suite := range []Suite{{}, {NoIntegrity, NoEncryption}, {HMACMD5, AESGCM}, {AESGMAC, AESCBC}} {
		if _, err := Expand(suite, ik, ck); err == nil {
			t.Errorf("%s has keys", suite)
		}
	}
}

// TS 33.203 §7.1: the ports of each of the four associations, and the owner of its SPI.
func TestAssociations(t *testing.T) {
	s := Set{
		UE: netip.MustParseAddr("192.0.2.100"), PCSCF: netip.MustParseAddr("192.0.2.1"),
		Ports: Ports{
			UEClient:    1,
			UEServer:    2,
			PCSCFClient: 3,
			PCSCFServer: 4,
		}, SPIs: SPIs{UEClient: 11, UEServer: 12, PCSCFClient: 13, PCSCFServer: 14},
	}

	var got []string
	for _, a := range s.Associations() {
		got = append(got, fmt.Sprintf("%s %s %s>%s %d", a.From, a.Name, a.Source, a.Destination, a.SPI))
	}

	want := []string{
		"UE uc-ps 192.0.2.100:1>192.0.2.1:4 14", "P-CSCF pc-us 192.0.2.1:3>192.0.2.100:2 12",
		"P-CSCF ps-uc 192.0.2.1:4>192.0.2.100:1 11", "UE us-pc 192.0.2.100:2>192.0.2.1:3 13",
	}

	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Keys never reach a log.
func TestStringHasNoKeys(t *testing.T) {
	s := Set{IK: [16]byte([]byte("0123456789abcdef")), CK: [16]byte([]byte("fedcba9876543210"))}

	for _, format := range []string{"%s", "%v", "%+v"} {
		if text := fmt.Sprintf(format, s); strings.Contains(text, "48 49") || strings.Contains(text, "0123") ||
			strings.Contains(text, "102 101") {
			t.Errorf("%s: %s", format, text)
		}
	}
}

// What a kernel lacks is shown in a table.
func TestPrint(t *testing.T) {
	var b strings.Builder

	support := Support{
		Suites: map[Suite]error{{HMACMD5, NoEncryption}: fmt.Errorf("the kernel does not have the algorithm"), {HMACSHA1, AESCBC}: nil},
	}
	if err := support.Print(&b); err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{"hmac-md5-96       null          no: the kernel does not have", "hmac-sha-1-96     aes-cbc       yes"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}

	if support.Has(Suite{HMACMD5, NoEncryption}) || !support.Has(Suite{HMACSHA1, AESCBC}) || support.Has(Suite{AESGMAC, NoEncryption}) {
		t.Error("Has says otherwise")
	}
}

func TestParseSuite(t *testing.T) {
	for _, s := range Suites {
		if got, err := ParseSuite(" " + strings.ToUpper(s.String())); err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}

	for _, text := range []string{"", "hmac-sha-1-96", "null/null", "hmac-md5-96/aes-gcm"} {
		if _, err := ParseSuite(text); err == nil {
			t.Errorf("%q is a suite", text)
		}
	}
}
