package ipsec

import (
	"fmt"
	"net/netip"
	"strings"
)

// Wireshark returns a set as lines of Wireshark's table esp_sa, one for each association, keys included, so that its ESP can be decrypted.
// There are none for aes-gmac, which Wireshark does not support.
func Wireshark(s Set) (string, error) {
	t, err := Expand(s.Suite, s.IK, s.CK)
	if err != nil {
		return "", err
	}

	encryption, authentication, known := dissected(t)
	if !known {
		return "", nil
	}

	var lines strings.Builder
	for _, a := range s.Associations() {
		fmt.Fprintf(
			&lines,
			"%q,%q,%q,\"0x%08x\",%s,%s\n",
			family(a.Source.Addr()),
			written(a.Source.Addr()),
			written(a.Destination.Addr()),
			a.SPI,
			encryption,
			authentication,
		)
	}

	return lines.String(), nil
}

// dissected returns the algorithms by Wireshark's names, each with its key.
func dissected(t transforms) (encryption, authentication string, known bool) {
	const quoted = `"%s","0x%x"`

	if t.AEAD != nil {
		if t.AEAD.Name != "rfc4106(gcm(aes))" {
			return "", "", false
		}

		// The salt follows the key. Wireshark takes the ICV for authentication, which it does not check by itself.
		return fmt.Sprintf(quoted, "AES-GCM with 16 octet ICV [RFC4106]", t.AEAD.Key), `"NULL",""`, true
	}

	encryptions := map[string]string{"cbc(aes)": "AES-CBC [RFC3602]", "cbc(des3_ede)": "TripleDES-CBC [RFC2451]"}
	integrities := map[string]string{
		"hmac(md5)":    "HMAC-MD5-96 [RFC2403]",
		"hmac(sha1)":   "HMAC-SHA-1-96 [RFC2404]",
		"hmac(sha256)": "HMAC-SHA-256-128 [RFC4868]",
	}

	encryption = `"NULL",""`
	if name := encryptions[t.Encryption.Name]; name != "" {
		encryption = fmt.Sprintf(quoted, name, t.Encryption.Key)
	}

	return encryption, fmt.Sprintf(quoted, integrities[t.Integrity.Name], t.Integrity.Key), true
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}

	return "IPv6"
}

// written returns an address in full: Wireshark compares IPv6 addresses as text of all their digits.
func written(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}

	return a.StringExpanded()
}
