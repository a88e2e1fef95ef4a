package keyfile

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

var set = ipsec.Set{
	UE: netip.MustParseAddr(
		"192.0.2.100",
	), PCSCF: netip.MustParseAddr("192.0.2.1"), Suite: ipsec.Suite{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC},
	SPIs: ipsec.SPIs{UEClient: 300, UEServer: 301, PCSCFClient: 4096, PCSCFServer: 4097}, IK: [16]byte{1}, CK: [16]byte{2},
}

func lines(t *testing.T, path string) int {
	t.Helper()

	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1
	}

	if err != nil {
		t.Fatal(err)
	}

	return strings.Count(string(text), "\n")
}

// The file is readable by its owner only, an earlier one is kept beside it, and neither grows without bound.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "esp_sa")
	if err := os.WriteFile(path, []byte("an earlier one\n"), 0o644); err != nil {
		t.Fatal(err)
	}

	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}

	if state, err := os.Stat(path); err != nil || state.Mode().Perm() != 0o600 || state.Size() != 0 {
		t.Errorf("%v, %v", state.Mode(), err)
	}

	if got := lines(t, path+".1"); got != 1 {
		t.Errorf("the earlier file has %d lines", got)
	}

	add := func(n int) {
		t.Helper()

		for range n {
			if err := f.Add(set); err != nil {
				t.Fatal(err)
			}
		}
	}

	add(sets)

	if got := lines(t, path); got != 4*sets {
		t.Errorf("%d lines for %d sets", got, sets)
	}

	add(1)

	if got, before := lines(t, path), lines(t, path+".1"); got != 4 || before != 4*sets {
		t.Errorf("%d lines, and %d in the one before", got, before)
	}

	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}

	if err := f.Add(set); err == nil {
		t.Error("a closed file is written to")
	}
}

func TestCreateFails(t *testing.T) {
	if _, err := Create(filepath.Join(t.TempDir(), "no", "folder")); err == nil {
		t.Error("a file in no folder")
	}
}

// A suite that cannot be used has no keys either.
func TestAddRefuses(t *testing.T) {
	f, err := Create(filepath.Join(t.TempDir(), "esp_sa"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	if err := f.Add(ipsec.Set{}); err == nil {
		t.Error("a set without algorithms has keys")
	}
}
