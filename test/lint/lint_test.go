package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

// Each linter refuses what it is there for: in testdata/src, a package by its name. Of staticcheck's there are some hundred, which its own
// tests have.
func TestOwn(t *testing.T) {
	for _, a := range analyzers() {
		if staticchecks.MatchString(a.Name) {
			continue
		}

		t.Run(a.Name, func(t *testing.T) {
			found := analysistest.Run(t, analysistest.TestData(), a, a.Name)
			if len(found) != 1 || len(found[0].Diagnostics) == 0 {
				t.Error("it finds nothing")
			}
		})
	}
}

var staticchecks = regexp.MustCompile(`^(SA|S|ST|QF)[0-9]+$`)

// A configuration that asks for more or less than is here is refused.
func TestAgrees(t *testing.T) {
	text, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}

	if err := agrees(text); err != nil {
		t.Error(err)
	}

	for from, to := range map[string]string{
		"depguard, errorlint":           "errorlint",
		"sloglint]":                     "sloglint, gosec]",
		"line-length: 140":              "line-length: 200",
		"default: standard":             "default: none",
		"static-msg: true":              "static-msg: false",
		"presets: [std-error-handling]": "presets: [comments]",
		"enable: [gofumpt]":             "enable: [gofmt]",
		"tests: true":                   "tests: true\n  unknown: 1",
	} {
		changed := strings.Replace(string(text), from, to, 1)
		if changed == string(text) {
			t.Fatalf("%q is not in .golangci.yml", from)
		}

		if agrees([]byte(changed)) == nil {
			t.Errorf("%q in place of %q is taken", to, from)
		}
	}
}

// What is said to be bounded is there, and what other packages call to have counted.
func TestBoundedIsThere(t *testing.T) {
	for name := range bounded {
		folder, rest, _ := strings.Cut(name, ".")
		for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return r == '.' || r == ' ' }) {
			declares(t, folder, word)
		}
	}

	for name, parameter := range sinks {
		folder, function, _ := strings.Cut(name, ".")
		declares(t, folder, function)
		declares(t, folder, parameter)
	}
}

func declares(t *testing.T, folder, word string) {
	t.Helper()

	files, _ := filepath.Glob("../../" + folder + "/*.go")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}

		if regexp.MustCompile(`\b` + word + `\b`).Match(text) {
			return
		}
	}

	t.Errorf("%s has no %s", folder, word)
}
