package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// "make test" runs its suites under test/untouched, which passes what leaves the tree as it was and names what does not.
func TestUntouched(t *testing.T) {
	if !strings.Contains(targets(t), "\t@test/untouched $(MAKE)") {
		t.Error("make test does not run its suites under test/untouched")
	}

	script, err := filepath.Abs("../untouched")
	if err != nil {
		t.Fatal(err)
	}

	tree := t.TempDir()

	for _, words := range [][]string{
		{"git", "init", "-q"},
		{"sh", "-c", "echo /bin/ >.gitignore; echo '*.out' >>.gitignore; mkdir bin; echo 1 >kept; echo 1 >edited"},
		{"git", "add", "."},
		{"git", "-c", "user.name=test", "-c", "user.email=test@example", "commit", "-q", "-m", "all"},
		{"sh", "-c", "echo 2 >edited; echo 1 >new"},
	} {
		run := exec.Command(words[0], words[1:]...)
		run.Dir = tree

		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", words, err, out)
		}
	}

	for command, want := range map[string]string{
		"true":                             "",
		"echo 1 >bin/program":              "",
		"echo 1 >scratch; rm scratch":      "",
		"echo 3 >kept":                     "kept",
		"echo 1 >written":                  "written",
		"mkdir deep; echo 1 >deep/written": "deep/written",
		"echo 1 >profile.out":              "profile.out",
		"rm kept":                          "kept",
		"echo 3 >edited":                   "M edited",
		"exit 3":                           "exit status 3",
		"echo 1 >written; exit 3":          "written",
		"rm new":                           "new",
	} {
		t.Run(command, func(t *testing.T) {
			copied := t.TempDir()
			if err := os.CopyFS(copied, os.DirFS(tree)); err != nil {
				t.Fatal(err)
			}

			run := exec.Command(script, "sh", "-c", command)
			run.Dir = copied
			out, err := run.CombinedOutput()

			switch {
			case want == "" && err != nil:
				t.Errorf("refused: %v\n%s", err, out)
			case want != "" && err == nil:
				t.Errorf("taken, want %q", want)
			case want != "" && !strings.Contains(string(out)+err.Error(), want):
				t.Errorf("%v, want %q\n%s", err, want, out)
			}
		})
	}
}
