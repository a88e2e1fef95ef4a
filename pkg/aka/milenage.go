// Package aka implements 3GPP authentication and key agreement as IMS uses it (TS 33.102, TS 33.203): the algorithms, the sequence
// numbers, the authentication vectors of the home network, and the SIM that checks them. It does no I/O.
package aka

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// Algorithm is a set of the functions f1 to f5* (TS 33.102 §6.3). The length of RES depends on the set.
type Algorithm interface {
	F1(rand [16]byte, sqn SQN, amf [2]byte) (mac [8]byte)
	F1Star(rand [16]byte, sqn SQN, amf [2]byte) (mac [8]byte)
	F2345(rand [16]byte) (res []byte, ck, ik [16]byte, ak [6]byte)
	F5Star(rand [16]byte) (ak [6]byte)
}

// Milenage is the algorithm set of TS 35.206.
type Milenage struct {
	block cipher.Block
	opc   [16]byte
}

// OPc derives the operator variant of a subscriber from the operator's OP (TS 35.206 §4.1).
func OPc(k, op [16]byte) [16]byte {
	var opc [16]byte

	newAES(k).Encrypt(opc[:], op[:])
	subtle.XORBytes(opc[:], opc[:], op[:])

	return opc
}

// NewMilenage returns the algorithm set of one subscriber.
func NewMilenage(k, opc [16]byte) *Milenage {
	return &Milenage{block: newAES(k), opc: opc}
}

func newAES(k [16]byte) cipher.Block {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err) // 16 octets are always a key
	}

	return block
}

// F1 computes MAC-A, by which the network authenticates itself to the SIM.
func (m *Milenage) F1(rand [16]byte, sqn SQN, amf [2]byte) (mac [8]byte) {
	out := m.out1(rand, sqn, amf)
	copy(mac[:], out[:8])

	return mac
}

// F1Star computes MAC-S, by which the SIM authenticates itself to the network during resynchronisation.
func (m *Milenage) F1Star(rand [16]byte, sqn SQN, amf [2]byte) (mac [8]byte) {
	out := m.out1(rand, sqn, amf)
	copy(mac[:], out[8:])

	return mac
}

// F2345 computes RES, CK, IK and AK.
func (m *Milenage) F2345(rand [16]byte) (res []byte, ck, ik [16]byte, ak [6]byte) {
	t := m.temp(rand)
	out2 := m.out(t, 0, 1)
	copy(ak[:], out2[:6])

	return append([]byte(nil), out2[8:]...), m.out(t, 4, 2), m.out(t, 8, 4), ak
}

// F5Star computes the anonymity key of resynchronisation.
func (m *Milenage) F5Star(rand [16]byte) (ak [6]byte) {
	out := m.out(m.temp(rand), 12, 8)
	copy(ak[:], out[:6])

	return ak
}

func (m *Milenage) temp(rand [16]byte) (t [16]byte) {
	subtle.XORBytes(t[:], rand[:], m.opc[:])
	m.block.Encrypt(t[:], t[:])

	return t
}

func (m *Milenage) out1(rand [16]byte, sqn SQN, amf [2]byte) (out [16]byte) {
	var in1, rotated [16]byte

	s := sqn.Bytes()
	for half := 0; half < 16; half += 8 {
		copy(in1[half:], s[:])
		copy(in1[half+6:], amf[:])
	}

	subtle.XORBytes(in1[:], in1[:], m.opc[:])

	for i := range in1 { // r1 = 64 bits
		rotated[(i+8)%16] = in1[i]
	}

	t := m.temp(rand)
	subtle.XORBytes(out[:], rotated[:], t[:]) // c1 = 0
	m.block.Encrypt(out[:], out[:])
	subtle.XORBytes(out[:], out[:], m.opc[:])

	return out
}

// out computes OUT2 to OUT5 from TEMP. The rotation is in octets; the constant is zero except for its last octet.
func (m *Milenage) out(t [16]byte, rotation int, constant byte) (out [16]byte) {
	subtle.XORBytes(t[:], t[:], m.opc[:])

	for i := range t {
		out[(i+16-rotation)%16] = t[i]
	}

	out[15] ^= constant
	m.block.Encrypt(out[:], out[:])
	subtle.XORBytes(out[:], out[:], m.opc[:])

	return out
}
