package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docs/logs.md has each key of log lines once, and no other.
func TestKeysPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}

	var explained []string

	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`,? ?)+)\\| \\S.*\\|$").FindAllStringSubmatch(string(page), -1) {
		for _, key := range regexp.MustCompile("[a-z_]+").FindAllString(row[1], -1) {
			if slices.Contains(explained, key) {
				t.Errorf("%s is in docs/logs.md twice", key)
			}

			explained = append(explained, key)
		}
	}

	for _, key := range keys {
		if !slices.Contains(explained, key) {
			t.Errorf("%s is not in docs/logs.md", key)
		}
	}

	for _, key := range explained {
		if !slices.Contains(keys, key) {
			t.Errorf("docs/logs.md has %s, which no line may have", key)
		}
	}
}

// There is no key that no program logs.
func TestKeysAreUsed(t *testing.T) {
	var sources bytes.Buffer

	for _, folder := range []string{"pkg", "pcscf", "icscf", "scscf", "hss", "ocs", "ue", "lab"} {
		err := filepath.WalkDir("../../"+folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}

			text, err := os.ReadFile(path)
			sources.Write(text)

			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, key := range keys {
		if !bytes.Contains(sources.Bytes(), []byte(strconv.Quote(key))) {
			t.Errorf("%s is used by no program", key)
		}
	}
}
