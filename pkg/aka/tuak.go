package aka

import (
	"fmt"
	"slices"

	"golang.org/x/crypto/sha3"
)

// TUAK is the algorithm set of TS 35.231, which is based on Keccak. MAC has 64 bits; the lengths of RES and K are configurable.
type TUAK struct {
	k          []byte // 16 or 32 octets
	topc       [32]byte
	resLength  int // octets: 4, 8, 16 or 32
	iterations int
}

const tuakName = "TUAK1.0"

// TOPc derives the operator variant of a subscriber from the operator's TOP (TS 35.231 §6.2). k has 16 or 32 octets.
func TOPc(k []byte, top [32]byte, iterations int) [32]byte {
	var instance byte
	if len(k) == 32 {
		instance = 1
	}

	out := tuakBlock(top, instance, [16]byte{}, [2]byte{}, [6]byte{}, k, iterations)

	return [32]byte(reversed(out[:32]))
}

// NewTUAK returns the algorithm set of one subscriber. k has 16 or 32 octets; resLength is 4, 8, 16 or 32 octets; iterations is
// at least 1. NewTUAK panics on other values: the caller must have checked them.
func NewTUAK(k []byte, topc [32]byte, resLength, iterations int) *TUAK {
	if len(k) != 16 && len(k) != 32 || resLength != 4 && resLength != 8 && resLength != 16 && resLength != 32 || iterations < 1 {
		panic(fmt.Sprintf("aka: TUAK with K of %d octets, RES of %d and %d iterations", len(k), resLength, iterations))
	}

	return &TUAK{k: slices.Clone(k), topc: topc, resLength: resLength, iterations: iterations}
}

// F1 computes MAC-A.
func (t *TUAK) F1(rand [16]byte, sqn SQN, amf [2]byte) (mac [8]byte) {
	return t.mac(0x00, rand, sqn, amf)
}

// F1Star computes MAC-S.
func (t *TUAK) F1Star(rand [16]byte, sqn SQN, amf [2]byte) (mac [8]byte) {
	return t.mac(0x80, rand, sqn, amf)
}

func (t *TUAK) mac(instance byte, rand [16]byte, sqn SQN, amf [2]byte) [8]byte {
	return [8]byte(t.macOf(8, instance, rand, sqn, amf))
}

// macOf returns a MAC of 8, 16 or 32 octets. AUTN has room for 8 (TS 33.102 §6.3.2).
func (t *TUAK) macOf(length int, instance byte, rand [16]byte, sqn SQN, amf [2]byte) []byte {
	out := tuakBlock(t.topc, instance|byte(length)|t.keyBit(), rand, amf, sqn.Bytes(), t.k, t.iterations)

	return reversed(out[:length])
}

// F2345 computes RES, CK, IK and AK.
func (t *TUAK) F2345(rand [16]byte) (res []byte, ck, ik [16]byte, ak [6]byte) {
	res, longCK, longIK, ak := t.keys(rand, 16, 16)

	return res, [16]byte(longCK), [16]byte(longIK), ak
}

// keys computes RES, CK and IK in the given lengths, and AK. A vector has keys of 16 octets (TS 33.102 §6.3.2).
func (t *TUAK) keys(rand [16]byte, ckLength, ikLength int) (res, ck, ik []byte, ak [6]byte) {
	instance := byte(0x40) | t.keyBit()

	if t.resLength > 4 {
		instance |= byte(t.resLength)
	}

	if ckLength == 32 {
		instance |= 0x04
	}

	if ikLength == 32 {
		instance |= 0x02
	}

	out := tuakBlock(t.topc, instance, rand, [2]byte{}, [6]byte{}, t.k, t.iterations)

	return reversed(out[:t.resLength]), reversed(out[32 : 32+ckLength]), reversed(out[64 : 64+ikLength]), [6]byte(reversed(out[96:102]))
}

// F5Star computes the anonymity key of resynchronisation.
func (t *TUAK) F5Star(rand [16]byte) (ak [6]byte) {
	out := tuakBlock(t.topc, 0xC0|t.keyBit(), rand, [2]byte{}, [6]byte{}, t.k, t.iterations)

	return [6]byte(reversed(out[96:102]))
}

func (t *TUAK) keyBit() byte {
	if len(t.k) == 32 {
		return 1
	}

	return 0
}

const shakeRate = 136 // octets that SHAKE256 gives per permutation

// tuakBlock returns the state of TS 35.231 §7 after its permutations. Each field goes in with its last octet first. The padding
// that TS 35.231 prescribes is that of SHAKE256, so that the state after n permutations is the nth block of its output.
func tuakBlock(topc [32]byte, instance byte, rand [16]byte, amf [2]byte, sqn [6]byte, k []byte, iterations int) [shakeRate]byte {
	var in [96]byte

	copy(in[0:], reversed(topc[:]))
	in[32] = instance
	copy(in[33:], reversed([]byte(tuakName)))
	copy(in[40:], reversed(rand[:]))
	copy(in[56:], reversed(amf[:]))
	copy(in[58:], reversed(sqn[:]))
	copy(in[64:], reversed(k))

	shake := sha3.NewShake256()
	_, _ = shake.Write(in[:]) // a hash never fails

	var out [shakeRate]byte
	for range max(1, iterations) {
		_, _ = shake.Read(out[:])
	}

	return out
}

func reversed(b []byte) []byte {
	r := slices.Clone(b)
	slices.Reverse(r)

	return r
}
