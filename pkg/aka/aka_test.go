package aka

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// vectors reads a file of published test data into one map for each set.
func vectors(t *testing.T, path string) []map[string]string {
	t.Helper()

	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}

	var sets []map[string]string
	for _, row := range rows[1:] {
		set := map[string]string{}
		for i, name := range rows[0] {
			set[name] = row[i]
		}
		sets = append(sets, set)
	}

	return sets
}

func octets(t *testing.T, text string) []byte {
	t.Helper()

	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}

	return b
}

func check(t *testing.T, a Algorithm, set map[string]string) {
	t.Helper()

	rand, amf := [16]byte(octets(t, set["rand"])), [2]byte(octets(t, set["amf"]))
	sqn := SQNFromBytes([6]byte(octets(t, set["sqn"])))
	f1, f1star := a.F1(rand, sqn, amf), a.F1Star(rand, sqn, amf)
	res, ck, ik, ak := a.F2345(rand)
	akStar := a.F5Star(rand)

	for name, got := range map[string][]byte{
		"f1": f1[:], "f1star": f1star[:], "f2_res": res, "f3_ck": ck[:], "f4_ik": ik[:], "f5_ak": ak[:], "f5star_ak": akStar[:],
	} {
		if want := octets(t, set[name]); !bytes.Equal(got, want) {
			t.Errorf("%s = %x, want %x", name, got, want)
		}
	}
}

func TestMilenageVectors(t *testing.T) {
	for _, set := range vectors(t, "testdata/milenage.csv") {
		t.Run(set["set"], func(t *testing.T) {
			k, op := [16]byte(octets(t, set["k"])), [16]byte(octets(t, set["op"]))
			opc := OPc(k, op)
			if want := octets(t, set["opc"]); !bytes.Equal(opc[:], want) {
				t.Errorf("OPc = %x, want %x", opc, want)
			}
			check(t, NewMilenage(k, opc), set)
		})
	}
}

func TestTUAKVectors(t *testing.T) {
	for _, set := range vectors(t, "testdata/tuak.csv") {
		t.Run(set["set"], func(t *testing.T) {
			iterations, err := strconv.Atoi(set["keccak_iterations"])
			if err != nil {
				t.Fatal(err)
			}
			checkTOPc(t, set, iterations)

			a := NewTUAK(octets(t, set["k"]), [32]byte(octets(t, set["topc"])), len(set["f2_res"])/2, iterations)
			rand, amf := [16]byte(octets(t, set["rand"])), [2]byte(octets(t, set["amf"]))
			sqn := SQNFromBytes([6]byte(octets(t, set["sqn"])))
			res, ck, ik, ak := a.keys(rand, len(set["f3_ck"])/2, len(set["f4_ik"])/2)
			akStar := a.F5Star(rand)

			for name, got := range map[string][]byte{
				"f1": a.macOf(len(set["f1"])/2, 0, rand, sqn, amf), "f1star": a.macOf(len(set["f1star"])/2, 0x80, rand, sqn, amf),
				"f2_res": res, "f3_ck": ck, "f4_ik": ik, "f5_ak": ak[:], "f5star_ak": akStar[:],
			} {
				if want := octets(t, set[name]); !bytes.Equal(got, want) {
					t.Errorf("%s = %x, want %x", name, got, want)
				}
			}

			if len(set["f1"]) == 16 && len(set["f3_ck"]) == 32 && len(set["f4_ik"]) == 32 { // the lengths that a vector has
				check(t, a, set)
			}
		})
	}
}

func checkTOPc(t *testing.T, set map[string]string, iterations int) {
	t.Helper()

	topc := TOPc(octets(t, set["k"]), [32]byte(octets(t, set["top"])), iterations)
	if want := octets(t, set["topc"]); !bytes.Equal(topc[:], want) {
		t.Errorf("TOPc = %x, want %x", topc, want)
	}
}

func TestSIMAndHomeNetworkAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "k"))
		opc := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "opc"))
		rand := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "rand"))
		scheme := DefaultScheme()
		at := SQN(rapid.Uint64Range(0, 1<<40).Draw(t, "sqn"))

		home, sim := NewMilenage(k, opc), NewSIM(NewMilenage(k, opc), scheme)
		sim.SetSQN(at)

		next := scheme.Next(at, 3)
		v := Generate(home, rand, next, [2]byte{0x80, 0})
		result, err := sim.Authenticate(v.RAND, v.AUTN)
		if err != nil || !bytes.Equal(result.RES, v.XRES) || result.CK != v.CK || result.IK != v.IK {
			t.Fatalf("a fresh vector: %v", err)
		}

		var stale *SyncFailure
		if _, err := sim.Authenticate(v.RAND, v.AUTN); !errors.As(err, &stale) {
			t.Fatalf("a replayed vector: %v", err)
		}
		ms, err := Resynchronise(home, rand, stale.AUTS)
		if err != nil || ms != next {
			t.Fatalf("SQN_MS = %d, %v; want %d", ms, err, next)
		}

		after := Generate(home, rand, scheme.Next(ms, 3), [2]byte{0x80, 0})
		if _, err := sim.Authenticate(after.RAND, after.AUTN); err != nil {
			t.Fatalf("after resynchronisation: %v", err)
		}
	})
}

func TestWrongKeys(t *testing.T) {
	home, other := NewMilenage([16]byte{1}, [16]byte{2}), NewMilenage([16]byte{1}, [16]byte{3})
	v := Generate(home, [16]byte{4}, 64, [2]byte{0x80, 0})

	if _, err := NewSIM(other, DefaultScheme()).Authenticate(v.RAND, v.AUTN); !errors.Is(err, ErrMAC) {
		t.Errorf("another OPc in the SIM: %v, want ErrMAC", err)
	}
	if _, err := Resynchronise(home, [16]byte{4}, [14]byte{5}); !errors.Is(err, ErrMACS) {
		t.Errorf("an AUTS of nobody: %v, want ErrMACS", err)
	}
}

func TestFreshness(t *testing.T) {
	accepted := func(seq ...uint64) []uint64 { return append(seq, make([]uint64, 32-len(seq))...) }
	at := func(seq, ind uint64) SQN { return SQN(seq<<5 | ind) }

	tests := []struct {
		name   string
		scheme Scheme
		sqn    SQN
		seen   []uint64
		fresh  bool
	}{
		{name: "C.2.2 the next one", scheme: DefaultScheme(), sqn: at(11, 0), seen: accepted(10), fresh: true},
		{name: "C.2.2 the same again", scheme: DefaultScheme(), sqn: at(10, 0), seen: accepted(10)},
		{name: "C.2.2 older with the same IND", scheme: DefaultScheme(), sqn: at(9, 0), seen: accepted(10)},
		{name: "C.2.2 older with another IND", scheme: DefaultScheme(), sqn: at(9, 1), seen: accepted(10), fresh: true},
		{name: "C.2.1 a jump within delta", scheme: DefaultScheme(), sqn: at(10+1<<28, 0), seen: accepted(10), fresh: true},
		{name: "C.2.1 a jump beyond delta", scheme: DefaultScheme(), sqn: at(11+1<<28, 0), seen: accepted(10)},
		{name: "C.2.2 within the age limit", scheme: Scheme{INDBits: 5, L: 5}, sqn: at(6, 1), seen: accepted(10), fresh: true},
		{name: "C.2.2 beyond the age limit", scheme: Scheme{INDBits: 5, L: 5}, sqn: at(5, 1), seen: accepted(10)},
	}

	for _, test := range tests {
		if got := test.scheme.Fresh(test.sqn, test.seen); got != test.fresh {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestSQNWraps(t *testing.T) {
	scheme := DefaultScheme()
	if got := scheme.Next(SQN(sqnMask), 7); got != 7 {
		t.Errorf("after the last SEQ comes %x, want SEQ 0 with IND 7", got)
	}
}

// TS 33.102 §6.3.3, §6.3.5 with the lengths of TUAK that a vector can have.
func TestTUAKSIMAndHomeNetworkAgree(t *testing.T) {
	for _, key := range []int{16, 32} {
		for _, res := range []int{4, 8, 16, 32} {
			a := NewTUAK(bytes.Repeat([]byte{7}, key), [32]byte{8}, res, 2)
			sim := NewSIM(a, DefaultScheme())

			v := Generate(a, [16]byte{1}, DefaultScheme().Next(0, 1), [2]byte{0x80, 0})
			if result, err := sim.Authenticate(v.RAND, v.AUTN); err != nil || !bytes.Equal(result.RES, v.XRES) || len(v.XRES) != res {
				t.Errorf("K of %d, RES of %d octets: %x %v", key, res, result.RES, err)
			}

			var stale *SyncFailure
			if _, err := sim.Authenticate(v.RAND, v.AUTN); !errors.As(err, &stale) {
				t.Fatalf("a replayed vector: %v", err)
			}
			if sqn, err := Resynchronise(a, v.RAND, stale.AUTS); err != nil || sqn != sim.SQN() {
				t.Errorf("SQN_MS %d %v", sqn, err)
			}
		}
	}
}

// Every bit of AUTN and AUTS is protected.
func TestEveryBitCounts(t *testing.T) {
	a := NewMilenage([16]byte{1}, [16]byte{2})
	v := Generate(a, [16]byte{3}, 1<<5, [2]byte{0x80, 0})

	sim := NewSIM(a, DefaultScheme())
	sim.SetSQN(1 << 20)

	var stale *SyncFailure
	if _, err := sim.Authenticate(v.RAND, v.AUTN); !errors.As(err, &stale) {
		t.Fatal(err)
	}

	for bit := range 8 * len(v.AUTN) {
		autn := v.AUTN
		autn[bit/8] ^= 1 << (bit % 8)
		if _, err := NewSIM(a, DefaultScheme()).Authenticate(v.RAND, autn); !errors.Is(err, ErrMAC) {
			t.Errorf("AUTN with bit %d changed: %v", bit, err)
		}
	}
	for bit := range 8 * len(stale.AUTS) {
		auts := stale.AUTS
		auts[bit/8] ^= 1 << (bit % 8)
		if _, err := Resynchronise(a, v.RAND, auts); !errors.Is(err, ErrMACS) {
			t.Errorf("AUTS with bit %d changed: %v", bit, err)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	a := NewMilenage([16]byte{1}, [16]byte{2})
	for b.Loop() {
		Generate(a, [16]byte{3}, 4, [2]byte{0x80, 0})
	}
}

func BenchmarkGenerateTUAK(b *testing.B) {
	a := NewTUAK(make([]byte, 16), [32]byte{2}, 8, 1)
	for b.Loop() {
		Generate(a, [16]byte{3}, 4, [2]byte{0x80, 0})
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	a, scheme := NewMilenage([16]byte{1}, [16]byte{2}), DefaultScheme()
	sim, sqn := NewSIM(a, scheme), SQN(0)
	for b.Loop() {
		sqn = scheme.Next(sqn, 0)
		v := Generate(a, [16]byte{3}, sqn, [2]byte{0x80, 0})
		if _, err := sim.Authenticate(v.RAND, v.AUTN); err != nil {
			b.Fatal(err)
		}
	}
}
