package aka

import (
	"encoding/hex"
	"testing"
)

// TS 33.401 annex A.2 with the keys of TS 35.208's test set 1. The expected value was computed by OpenSSL: S written out by hand, HMAC
// with the key CK||IK.
func TestKASME(t *testing.T) {
	m := NewMilenage([16]byte(octets(t, "465b5ce8b199b49faa5f0a2ee238a6bc")), [16]byte(octets(t, "cd63cb71954a9f4e48a5994e37a02baf")))
	v := Generate(m, [16]byte(octets(t, "23553cbe9637a89d218ae64dae47bf35")), 0xff9bb4d0b607, Separated([2]byte{0x39, 0xb9}))

	if v.AUTN[6] != 0xb9 || v.AUTN[7] != 0xb9 {
		t.Errorf("AMF in AUTN is %x, want the separation bit set and the rest as it was", v.AUTN[6:8])
	}

	key := v.KASME([3]byte{0x00, 0xF1, 0x10})
	if got := hex.EncodeToString(key[:]); got != "48579af8781c742d5120e6ed8ccac13193f38c53ab7aa69396f49ca6e1b0562d" {
		t.Errorf("KASME is %s", got)
	}

	if other := v.KASME([3]byte{0x09, 0xF1, 0x07}); other == key {
		t.Error("another network has the same KASME")
	}
}
