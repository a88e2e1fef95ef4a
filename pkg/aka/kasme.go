package aka

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Separated returns an AMF with the separation bit, without which a handset takes no vector for EPS, and with which its keys are for
// nothing else (TS 33.102 annex H, TS 33.401 §6.1.1).
func Separated(amf [2]byte) [2]byte { return [2]byte{amf[0] | 0x80, amf[1]} }

// KASME returns the key that a vector gives to an MME of a network, whose identity is as in Visited-PLMN-Id (TS 33.401 annex A.2).
func (v *Vector) KASME(plmn [3]byte) [32]byte {
	const fc = 0x10

	concealed := v.AUTN[:6] // SQN xor AK

	return kdf(slices.Concat(v.CK[:], v.IK[:]), fc, plmn[:], concealed)
}

// kdf returns what the key derivation function of TS 33.220 annex B.2 gives.
func kdf(key []byte, fc byte, parameters ...[]byte) (derived [32]byte) {
	s := []byte{fc}
	for _, p := range parameters {
		s = append(s, p...)
		s = binary.BigEndian.AppendUint16(s, uint16(len(p)))
	}

	mac := hmac.New(sha256.New, key)
	mac.Write(s)
	mac.Sum(derived[:0])

	return derived
}

// Prime returns CK' and IK', the keys of EAP-AKA', which are bound to the name of an access network (TS 33.402 annex A.2, RFC 9048 §3.3).
func (v *Vector) Prime(network string) (ck, ik [16]byte) {
	const fc = 0x20

	concealed := v.AUTN[:6] // SQN xor AK
	keys := kdf(slices.Concat(v.CK[:], v.IK[:]), fc, []byte(network), concealed)

	return [16]byte(keys[:16]), [16]byte(keys[16:])
}
