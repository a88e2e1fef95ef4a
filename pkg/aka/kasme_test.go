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

// RFC 9048 appendix C, cases 1 and 2.
func TestKeysOfEAPAKAPrime(t *testing.T) {
	for network, want := range map[string][2]string{
		"WLAN": {"0093962d0dd84aa5684b045c9edffa04", "ccfc230ca74fcc96c0a5d61164f5a76c"},
		"HRPD": {"3820f0277fa5f77732b1fb1d90c1a0da", "db94a0ab557ef6c9ab48619ca05b9a9f"},
	} {
		v := Vector{
			AUTN: [16]byte(octets(t, "bb52e91c747ac3ab2a5c23d15ee351d5")),
			CK:   [16]byte(octets(t, "5349fbe098649f948f5d2e973a81c00f")), IK: [16]byte(octets(t, "9744871ad32bf9bbd1dd5ce54e3e2e5a")),
		}

		ck, ik := v.Prime(network)
		if hex.EncodeToString(ck[:]) != want[0] || hex.EncodeToString(ik[:]) != want[1] {
			t.Errorf("%s: CK' %x, IK' %x", network, ck, ik)
		}
	}
}
