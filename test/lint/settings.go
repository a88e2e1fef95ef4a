package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"
)

// columns is the longest line.
const columns = 140

// settings is what .golangci.yml may say. What it cannot say is not a setting here, and refused.
type settings struct {
	Version string `yaml:"version"`
	Run     struct {
		Timeout string `yaml:"timeout"`
		Tests   bool   `yaml:"tests"`
	} `yaml:"run"`
	Linters struct {
		Default  string   `yaml:"default"`
		Enable   []string `yaml:"enable"`
		Settings struct {
			Depguard struct {
				Rules map[string]struct {
					Files []string `yaml:"files"`
					Deny  []deny   `yaml:"deny"`
				} `yaml:"rules"`
			} `yaml:"depguard"`
			LLL struct {
				LineLength int `yaml:"line-length"`
			} `yaml:"lll"`
			Nolintlint struct {
				RequireExplanation bool `yaml:"require-explanation"`
				RequireSpecific    bool `yaml:"require-specific"`
			} `yaml:"nolintlint"`
			Revive struct {
				Rules []struct {
					Name string `yaml:"name"`
				} `yaml:"rules"`
			} `yaml:"revive"`
			Sloglint struct {
				KeyNamingCase string `yaml:"key-naming-case"`
				StaticMessage bool   `yaml:"static-msg"`
				NoMixedArgs   bool   `yaml:"no-mixed-args"`
			} `yaml:"sloglint"`
			Staticcheck struct {
				Checks []string `yaml:"checks"`
			} `yaml:"staticcheck"`
		} `yaml:"settings"`
		Exclusions struct {
			Presets []string `yaml:"presets"`
		} `yaml:"exclusions"`
	} `yaml:"linters"`
	Formatters struct {
		Enable []string `yaml:"enable"`
	} `yaml:"formatters"`
	Issues struct {
		PerLinter int `yaml:"max-issues-per-linter"`
		Same      int `yaml:"max-same-issues"`
	} `yaml:"issues"`
}

type deny struct {
	Package string `yaml:"pkg"`
	Why     string `yaml:"desc"`
}

// agrees reports how .golangci.yml differs from what this program does; nil if it does not.
func agrees(text []byte) error {
	var s settings
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&s); err != nil {
		return err
	}

	linters := []string{"depguard", "errorlint", "lll", "nolintlint", "revive", "sloglint"}
	set := s.Linters.Settings
	var denied []deny

	for _, r := range set.Depguard.Rules {
		denied = append(denied, r.Deny...)
	}

	for _, f := range []struct {
		what       string
		here, file any
	}{
		{"version", "2", s.Version},
		{"run.tests", true, s.Run.Tests},
		{"linters.default", "standard", s.Linters.Default},
		{"linters.enable", linters, s.Linters.Enable},
		{"formatters.enable", []string{"gofumpt"}, s.Formatters.Enable},
		{"linters.exclusions.presets", []string{"std-error-handling"}, s.Linters.Exclusions.Presets},
		{"depguard", forbidden, denied},
		{"lll.line-length", columns, set.LLL.LineLength},
		{"nolintlint", [2]bool{true, true}, [2]bool{set.Nolintlint.RequireExplanation, set.Nolintlint.RequireSpecific}},
		{"sloglint.key-naming-case", "snake", set.Sloglint.KeyNamingCase},
		{"sloglint", [2]bool{true, true}, [2]bool{set.Sloglint.StaticMessage, set.Sloglint.NoMixedArgs}},
		{"revive.rules", "[{exported}]", fmt.Sprint(set.Revive.Rules)},
		{"staticcheck.checks", checks, set.Staticcheck.Checks},
		{"issues", [2]int{}, [2]int{s.Issues.PerLinter, s.Issues.Same}},
	} {
		if fmt.Sprint(f.here) != fmt.Sprint(f.file) {
			return fmt.Errorf("%s is %v, and test/lint has %v", f.what, f.file, f.here)
		}
	}

	return nil
}

// wanted reports whether a check of staticcheck is one of checks.
func wanted(name string) bool {
	return !slices.Contains(checks, "-"+name)
}
