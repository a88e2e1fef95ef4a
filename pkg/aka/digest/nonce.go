package digest

import (
	"encoding/base64"
	"errors"
	"strings"
)

var errNonce = errors.New("digest: the nonce does not hold RAND and AUTN")

// AKANonce returns RAND and AUTN in base64 (RFC 3310 §3.2).
func AKANonce(rand, autn [16]byte) string {
	return base64.StdEncoding.EncodeToString(append(rand[:], autn[:]...))
}

// ParseAKANonce parses RAND and AUTN. Data of the server may follow them, and padding may be missing.
func ParseAKANonce(nonce string) (rand, autn [16]byte, err error) {
	b, err := decodeBase64(nonce)
	if err != nil || len(b) < 32 {
		return rand, autn, errNonce
	}

	return [16]byte(b[:16]), [16]byte(b[16:32]), nil
}

// EncodeAUTS returns the value of the auts parameter (RFC 3310 §3.4).
func EncodeAUTS(auts [14]byte) string { return base64.StdEncoding.EncodeToString(auts[:]) }

// ParseAUTS parses the auts parameter.
func ParseAUTS(text string) (auts [14]byte, err error) {
	b, err := decodeBase64(text)
	if err != nil || len(b) != len(auts) {
		return auts, errors.New("digest: auts is not 14 octets in base64")
	}

	return [14]byte(b), nil
}

func decodeBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}
