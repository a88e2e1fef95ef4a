package ipsec

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// The lines of Wireshark's table esp_sa: one for each association, by the names of its dissector. test/ipsec shows that it decrypts a
// capture with them.
func TestWireshark(t *testing.T) {
	const i, c = "494b494b494b494b494b494b494b494b", "434b434b434b434b434b434b434b434b"

	for suite, want := range map[string]string{
		"null/aes-gcm":               `"AES-GCM with 16 octet ICV [RFC4106]","0x` + c + `00000000","NULL",""`,
		"aes-gmac/null":              "",
		"hmac-sha-256-128/aes-cbc":   `"AES-CBC [RFC3602]","0x` + c + `","HMAC-SHA-256-128 [RFC4868]","0x` + i + i + `"`,
		"hmac-sha-256-128/null":      `"NULL","","HMAC-SHA-256-128 [RFC4868]","0x` + i + i + `"`,
		"hmac-sha-1-96/aes-cbc":      `"AES-CBC [RFC3602]","0x` + c + `","HMAC-SHA-1-96 [RFC2404]","0x` + i + `00000000"`,
		"hmac-sha-1-96/des-ede3-cbc": `"TripleDES-CBC [RFC2451]","0x` + c + c[:16] + `","HMAC-SHA-1-96 [RFC2404]","0x` + i + `00000000"`,
		"hmac-sha-1-96/null":         `"NULL","","HMAC-SHA-1-96 [RFC2404]","0x` + i + `00000000"`,
		"hmac-md5-96/aes-cbc":        `"AES-CBC [RFC3602]","0x` + c + `","HMAC-MD5-96 [RFC2403]","0x` + i + `"`,
		"hmac-md5-96/des-ede3-cbc":   `"TripleDES-CBC [RFC2451]","0x` + c + c[:16] + `","HMAC-MD5-96 [RFC2403]","0x` + i + `"`,
		"hmac-md5-96/null":           `"NULL","","HMAC-MD5-96 [RFC2403]","0x` + i + `"`,
	} {
		t.Run(suite, func(t *testing.T) {
			integrity, encryption, _ := strings.Cut(suite, "/")
			s := Set{
				UE: netip.MustParseAddr(
					"192.0.2.100",
				), PCSCF: netip.MustParseAddr("192.0.2.1"), Suite: Suite{Integrity(integrity), Encryption(encryption)},
				SPIs: SPIs{UEClient: 300, UEServer: 301, PCSCFClient: 4096, PCSCFServer: 0xfedcba98},
				IK:   [16]byte([]byte("IKIKIKIKIKIKIKIK")), CK: [16]byte([]byte("CKCKCKCKCKCKCKCK")),
			}

			four := func(family, ue, pcscf string) string {
				if want == "" {
					return ""
				}

				text := ""
				for _, a := range [][3]string{
					{ue, pcscf, "0xfedcba98"},
					{pcscf, ue, "0x0000012d"},
					{pcscf, ue, "0x0000012c"},
					{ue, pcscf, "0x00001000"},
				} {
					text += fmt.Sprintf("%q,%q,%q,%q,%s\n", family, a[0], a[1], a[2], want)
				}

				return text
			}

			if got, err := Wireshark(s); err != nil || got != four("IPv4", "192.0.2.100", "192.0.2.1") {
				t.Errorf("%v\n%s", err, got)
			}

			s.UE, s.PCSCF = netip.MustParseAddr("2001:db8::100"), netip.MustParseAddr("2001:db8::1")
			if got, err := Wireshark(s); err != nil ||
				got != four("IPv6", "2001:0db8:0000:0000:0000:0000:0000:0100", "2001:0db8:0000:0000:0000:0000:0000:0001") {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}

	if lines, err := Wireshark(Set{}); err == nil {
		t.Errorf("a set without algorithms has lines: %s", lines)
	}
}
