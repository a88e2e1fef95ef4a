package ipsec

import (
	"fmt"
	"slices"
)

// Algorithm is one transform as Linux's XFRM names it, with its key.
type Algorithm struct {
	Name   string
	Key    []byte
	Length int // bits: of the truncated integrity value, or of the AEAD's
}

// transforms protect an association: an AEAD, or integrity and encryption.
type transforms struct {
	Integrity, Encryption, AEAD *Algorithm
}

// gcmSalt is the salt of AES-GCM and AES-GMAC (RFC 4106 §8.1, RFC 4543 §3.3). IMS AKA yields CK and IK of 128 bits and no salt; it is zero
// here, on both ends of this suite. TS 33.203 annex I defines the keys of HMAC and the CBC ciphers only; other products' choice is not
// known.
var gcmSalt = []byte{0, 0, 0, 0}

// Expand derives the keys of a suite from IK and CK (TS 33.203 annex I).
func Expand(s Suite, ik, ck [16]byte) (transforms, error) {
	switch s {
	case Suite{NoIntegrity, AESGCM}:
		return transforms{AEAD: &Algorithm{"rfc4106(gcm(aes))", slices.Concat(ck[:], gcmSalt), 128}}, nil
	case Suite{AESGMAC, NoEncryption}:
		return transforms{AEAD: &Algorithm{"rfc4543(gcm(aes))", slices.Concat(ik[:], gcmSalt), 128}}, nil
	}

	var t transforms

	switch s.Integrity {
	case HMACMD5:
		t.Integrity = &Algorithm{"hmac(md5)", slices.Clone(ik[:]), 96}
	case HMACSHA1: // 160 bits: IK and 32 zero bits
		t.Integrity = &Algorithm{"hmac(sha1)", slices.Concat(ik[:], make([]byte, 4)), 96}
	case HMACSHA256: // 256 bits: IK twice
		t.Integrity = &Algorithm{"hmac(sha256)", slices.Concat(ik[:], ik[:]), 128}
	default:
		return t, fmt.Errorf("ipsec: no keys for %s", s)
	}

	switch s.Encryption {
	case NoEncryption:
		t.Encryption = &Algorithm{"ecb(cipher_null)", []byte{}, 0}
	case AESCBC:
		t.Encryption = &Algorithm{"cbc(aes)", slices.Clone(ck[:]), 0}
	case DESEDE3CBC: // 192 bits: the two halves of CK and the first again
		t.Encryption = &Algorithm{"cbc(des3_ede)", slices.Concat(ck[:], ck[:8]), 0}
	default:
		return t, fmt.Errorf("ipsec: no keys for %s", s)
	}

	return t, nil
}
