package aka

import (
	"crypto/subtle"
	"errors"
)

// ErrMACS is the error for an AUTS that this subscriber's SIM did not make: K or OPc differ.
var ErrMACS = errors.New("MAC-S is wrong: K or OPc differ between SIM and HSS")

// Vector is one quintet (TS 33.102 §6.3.2).
type Vector struct {
	RAND [16]byte
	AUTN [16]byte
	XRES []byte
	CK   [16]byte
	IK   [16]byte
}

// Generate computes the authentication vector for RAND and SQN.
func Generate(a Algorithm, rand [16]byte, sqn SQN, amf [2]byte) Vector {
	xres, ck, ik, ak := a.F2345(rand)
	mac := a.F1(rand, sqn, amf)
	v := Vector{RAND: rand, XRES: xres, CK: ck, IK: ik}

	s := sqn.Bytes()
	subtle.XORBytes(v.AUTN[:6], s[:], ak[:])
	copy(v.AUTN[6:], amf[:])
	copy(v.AUTN[8:], mac[:])

	return v
}

// Resynchronise verifies the AUTS that a SIM sent for this RAND and returns its SQN_MS (TS 33.102 §6.3.5).
func Resynchronise(a Algorithm, rand [16]byte, auts [14]byte) (SQN, error) {
	ak := a.F5Star(rand)

	var s [6]byte
	subtle.XORBytes(s[:], auts[:6], ak[:])

	sqn := SQNFromBytes(s)
	mac := a.F1Star(rand, sqn, [2]byte{})

	if subtle.ConstantTimeCompare(mac[:], auts[6:]) != 1 {
		return 0, ErrMACS
	}

	return sqn, nil
}
