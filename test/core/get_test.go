package core

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// `get` of each function says in its help, and of a path that there is not, what it can get: the same.
func TestGetSaysWhatThereIs(t *testing.T) {
	n := network.Start(t)

	for _, name := range []string{"pcscf", "icscf", "scscf", "hss", "ocs"} {
		get := func(argument string) string {
			out, _ := exec.CommandContext(n.Context(), filepath.Join(os.Getenv("DIALTONE_BINARIES"), name), "get", argument).CombinedOutput()
			return string(out)
		}

		_, text, _ := strings.Cut(get("/nothing"), "there is no /nothing: there are ")
		there := strings.Split(strings.TrimSpace(text), ", ")

		_, help, _ := strings.Cut(get("--help"), "PATH is one of\n")
		help, _, _ = strings.Cut(help, "Usage:")

		if listed := strings.Fields(help); len(listed) < 9 || !slices.Equal(there, listed) {
			t.Errorf("%s has\n%v, and its help lists\n%v", name, there, listed)
		}
	}
}
