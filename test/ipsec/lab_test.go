//go:build esp

package ipsec

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLab is the lab's call through ESP, and nothing that it leaves behind.
func TestLab(t *testing.T) {
	left := func() (all string) {
		for _, line := range []string{"ip netns list", "ip -o link show", "ip xfrm state", "ip xfrm policy"} {
			words := strings.Fields(line)

			out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v: %s", line, err, out)
			}

			all += string(out)
		}

		return all
	}

	before := left()
	data := t.TempDir()

	out, err := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("DIALTONE_BINARIES"), "lab"), "--ipsec", "--once", "--data", data).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	rest := string(out)
	for _, want := range []string{
		"SIP 198.51.100.1:5060 (Gm, UDP and TCP)",
		"─ REGISTER ▶", "─── 401 ───", "─ REGISTER ▶", "ESP\n", "(REGISTER)  ESP\n", "── INVITE ─▶", "ESP\n", "(BYE)  ESP\n",
		"alice: integrity", "uc-ps", "198.51.100.101:31000 ─▶ 198.51.100.1:6110", "bob: integrity", "Every step happened.",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q where it should be in\n%s", want, out)
		}

		rest = after
	}

	if keys, err := os.ReadFile(filepath.Join(data, "esp_sa")); err != nil || !strings.Contains(string(keys), "198.51.100.101") {
		t.Errorf("the keys: %v, %s", err, keys)
	}

	if after := left(); after != before {
		t.Errorf("there was\n%s\nthere is\n%s", before, after)
	}
}
