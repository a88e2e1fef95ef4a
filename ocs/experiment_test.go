package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/scratch"
)

// The short form of each experiment in the documentation ends with a report, and with every plot that its page shows.
func TestExperiments(t *testing.T) {
	files, err := filepath.Glob("../docs/experiments/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}

	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			folder := filepath.Join(scratch.Dir(t), "results")

			var out, progress bytes.Buffer
			command := exec.CommandContext(t.Context(), binary, "experiment", "run", file, "--short", "--out", folder)
			command.Stdout, command.Stderr = &out, &progress
			if err := command.Run(); err != nil {
				t.Fatalf("%v\n%s", err, progress.String())
			}

			if got := strings.TrimSpace(out.String()); got != filepath.Join(folder, "report.html") {
				t.Errorf("it says %q", got)
			}

			page, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".md")
			if err != nil {
				t.Fatal(err)
			}

			shown := regexp.MustCompile(`\]\([\w-]+/([\w-]+\.png)\)`).FindAllSubmatch(page, -1)
			if len(shown) < 2 {
				t.Errorf("the page shows %d plots", len(shown))
			}

			for _, plot := range shown {
				if _, err := os.Stat(filepath.Join(folder, string(plot[1]))); err != nil {
					t.Error(err)
				}
			}

			for _, name := range []string{"report.html", "summary.csv", "summary.json", "scenario.yaml"} {
				if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// What is wrong with a scenario is said with the line, and its points are shown without a run.
func TestExperimentCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte("name: bad\nquota: 10s\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	out, err := exec.CommandContext(t.Context(), binary, "experiment", "run", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), `[2:1] unknown field "quota"`) {
		t.Errorf("%v: %s", err, out)
	}

	out, err = exec.CommandContext(t.Context(), binary, "experiment", "check",
		"../docs/experiments/quota-size.yaml", "--repetitions", "2").Output()
	if err != nil || !strings.HasPrefix(string(out), "quota=15s, 2 times 12h\nquota=30s, 2 times") {
		t.Errorf("%v: %s", err, out)
	}

	out, err = exec.CommandContext(t.Context(), binary, "experiment", "check", "../docs/experiments/quota-size.yaml",
		"--set", "loss=0.01", "--set", "client.tx=90s", "--set", "quota=7s").Output() // the sweep goes over the quota
	if err != nil || !strings.HasPrefix(string(out), "quota=15s, 4 times 12h, loss=0.01, client.tx=1m30s, quota=15s\n") {
		t.Errorf("%v: %s", err, out)
	}
}
