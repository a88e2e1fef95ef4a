package authentication

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"os"
	"strconv"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
)

func octets(t *testing.T, text string) []byte {
	t.Helper()

	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}

	return b
}

// Test set 1 of TS 35.208.
const (
	k   = "465b5ce8b199b49faa5f0a2ee238a6bc"
	op  = "cdc202d5123e20f62b6d676ac72cb318"
	opc = "cd63cb71954a9f4e48a5994e37a02baf"
)

func sim() *subscriber.PrivateIdentity {
	return &subscriber.PrivateIdentity{Identity: "001@home", Scheme: subscriber.AKA, Algorithm: subscriber.Milenage, AMF: "8000"}
}

func TestDeriveOPc(t *testing.T) {
	got, err := DeriveOPc(subscriber.Milenage, octets(t, k), octets(t, op), 0)
	if err != nil || hex.EncodeToString(got) != opc {
		t.Errorf("%x, %v, want %s", got, err, opc)
	}

	for name, try := range map[string]struct {
		algorithm subscriber.Algorithm
		k, op     string
	}{
		"short K":        {subscriber.Milenage, k[2:], op},
		"long OP":        {subscriber.Milenage, k, op + op},
		"short TOP":      {subscriber.TUAK, k, op},
		"no algorithm":   {"", k, op},
		"long K of TUAK": {subscriber.TUAK, k + k + k, op + op},
	} {
		if got, err := DeriveOPc(try.algorithm, octets(t, try.k), octets(t, try.op), 0); err == nil {
			t.Errorf("%s gave %x", name, got)
		}
	}
}

// The published sets of TS 35.233 have RES of 4, 8, 16 and 32 octets and one or two iterations: an identity provisioned with these gives
// them. MAC-A and MAC-S of 16 and 32 octets fit no vector; pkg/aka supports them.
func TestPublishedTUAKSets(t *testing.T) {
	file, err := os.Open("../../../pkg/aka/testdata/tuak.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}

	seen := map[int]bool{}
	for _, row := range rows[1:] {
		set := map[string]string{}
		for i, name := range rows[0] {
			set[name] = row[i]
		}
		iterations, err := strconv.Atoi(set["keccak_iterations"])
		if err != nil {
			t.Fatal(err)
		}
		p := &subscriber.PrivateIdentity{Identity: "t", Algorithm: subscriber.TUAK, RES: len(set["f2_res"]) / 2, Keccak: iterations}
		seen[p.RES] = true

		topc, err := DeriveOPc(p.Algorithm, octets(t, set["k"]), octets(t, set["top"]), iterations)
		if err != nil || hex.EncodeToString(topc) != set["topc"] {
			t.Errorf("%s: TOPc %x, %v, want %s", set["set"], topc, err, set["topc"])
		}
		a, err := algorithm(p, subscriber.Secrets{K: octets(t, set["k"]), OPc: topc})
		if err != nil {
			t.Fatal(err)
		}
		res, _, _, ak := a.F2345([16]byte(octets(t, set["rand"])))
		long := len(set["f3_ck"]) == 64 || len(set["f4_ik"]) == 64 // CK or IK of 32 octets, which no vector has, is another output
		if got := hex.EncodeToString(res); !long && (got != set["f2_res"] || hex.EncodeToString(ak[:]) != set["f5_ak"]) {
			t.Errorf("%s: RES %s, want %s", set["set"], got, set["f2_res"])
		}
		if len(res) != p.RES {
			t.Errorf("%s: RES has %d octets, want %d", set["set"], len(res), p.RES)
		}
	}
	if !seen[4] || !seen[8] || !seen[16] || !seen[32] {
		t.Errorf("the sets have RES of %v octets", seen)
	}

	for _, p := range []subscriber.PrivateIdentity{{RES: 5}, {RES: -4}, {Keccak: -1}, {Keccak: 256}, {RES: 64}} {
		p.Algorithm = subscriber.TUAK
		if _, err := algorithm(&p, subscriber.Secrets{K: make([]byte, 16), OPc: make([]byte, 32)}); err == nil {
			t.Errorf("%d octets, %d iterations are taken", p.RES, p.Keccak)
		}
	}
}

func TestASIMAcceptsTheVectorsInOrder(t *testing.T) {
	for _, p := range []*subscriber.PrivateIdentity{sim(), {Identity: "t", Algorithm: subscriber.TUAK, AMF: "8000"}} {
		secrets := subscriber.Secrets{K: octets(t, k), OPc: octets(t, opc)}
		if p.Algorithm == subscriber.TUAK {
			secrets.OPc = octets(t, opc+op)
		}

		a, err := algorithm(p, secrets)
		if err != nil {
			t.Fatal(err)
		}
		card := aka.NewSIM(a, aka.DefaultScheme())

		items, err := Vectors(p, secrets, "Digest-AKAv1-MD5", []uint64{1 << 5, 2 << 5, 3 << 5})
		if err != nil {
			t.Fatal(err)
		}
		for i, item := range items {
			answer, err := card.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:]))
			if err != nil || *item.ItemNumber != uint32(i+1) {
				t.Fatalf("%s item %d: %v", p.Algorithm, i, err)
			}
			if !bytes.Equal(answer.RES, item.Authorization) || !bytes.Equal(answer.IK[:], item.IntegrityKey) ||
				!bytes.Equal(answer.CK[:], item.ConfidentialityKey) {
				t.Errorf("%s: the SIM computed %+v, the HSS %+v", p.Algorithm, answer, item)
			}
		}

		stale, err := card.Authenticate([16]byte(items[0].Authenticate[:16]), [16]byte(items[0].Authenticate[16:]))
		var failure *aka.SyncFailure
		if !errors.As(err, &failure) {
			t.Fatalf("a stale vector: %+v, %v", stale, err)
		}
		authorization := append(append([]byte(nil), items[0].Authenticate[:16]...), failure.AUTS[:]...)
		if sqn, err := resynchronise(p, secrets, authorization); err != nil || sqn != 3<<5 {
			t.Errorf("%s: the SIM is at %d, %v", p.Algorithm, sqn, err)
		}

		secrets.K = octets(t, op)
		if _, err := resynchronise(p, secrets, authorization); !errors.Is(err, aka.ErrMACS) {
			t.Errorf("%s: with another K: %v", p.Algorithm, err)
		}
	}
}

func TestInRange(t *testing.T) {
	for _, test := range []struct {
		name      string
		ours, sim uint64
		want      bool
	}{
		{"the SIM is where we are", 100 << 5, 100 << 5, true},
		{"the SIM is ahead", 100 << 5, 101 << 5, false},
		{"we are ahead within delta", 200 << 5, 100 << 5, true},
		{"we are at the edge of delta", (delta - 1) << 5, 0, true},
		{"we are beyond delta", delta << 5, 0, false},
	} {
		if got := inRange(test.ours, test.sim); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestDigest(t *testing.T) {
	p := &subscriber.PrivateIdentity{Identity: "Mufasa", Algorithm: MD5}
	secrets := subscriber.Secrets{Password: []byte("Circle of Life")} // RFC 7616 §3.9.1

	item, err := Digest(p, secrets, "http-auth@example.org")
	if err != nil || item.Digest.HA1 != "3d78807defe7de2157e2b0b6573a855f" || item.Digest.Algorithm != "MD5" || item.Digest.QoP != "auth" {
		t.Errorf("%+v, %v", item.Digest, err)
	}

	p.Algorithm = SHA256
	item, err = Digest(p, secrets, "http-auth@example.org")
	if err != nil || item.Digest.HA1 != "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232" {
		t.Errorf("%+v, %v", item.Digest, err)
	}

	if _, err := Digest(p, subscriber.Secrets{}, "x"); err == nil {
		t.Error("a digest without a password")
	}
}
