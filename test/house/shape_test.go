package house

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// longest is the number of lines that a file may have.
const longest = 500

// Every package says what it is: "Package name ...", or "Command name ..." of a program.
func TestPackageComments(t *testing.T) {
	folders := map[string][]string{}

	for name := range files(t, "../..") {
		if !strings.HasSuffix(name, "_test.go") {
			folders[path.Dir(name)] = append(folders[path.Dir(name)], sourceOf(t, name))
		}
	}

	for folder, sources := range folders {
		if fault := unspoken(folder, sources); fault != "" {
			t.Error(fault)
		}
	}
}

func TestPackageCommentsRefuses(t *testing.T) {
	for name, sources := range map[string][]string{
		"no comment":             {"package p\n"},
		"apart from the package": {"// Package p does it.\n\npackage p\n"},
		"of another name":        {"// Package q does it.\npackage p\n"},
		"a program as a package": {"// Package main does it.\npackage main\n"},
		"two":                    {"// Package p does it.\npackage p\n", "// Package p does it.\npackage p\n"},
	} {
		if unspoken("p", sources) == "" {
			t.Errorf("%s: it is taken", name)
		}
	}

	if fault := unspoken("p", []string{"// Package p does it.\npackage p\n", "package p\n"}); fault != "" {
		t.Error(fault)
	}
}

// unspoken says what is wrong with the comment of a package; "" if nothing is.
func unspoken(folder string, sources []string) string {
	comments := 0

	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return folder + ": " + err.Error()
		}

		if file.Doc == nil || strings.HasPrefix(file.Doc.List[0].Text, "//go:") {
			continue
		}

		comments++

		want := "Package " + file.Name.Name + " "
		if file.Name.Name == "main" {
			want = "Command "
		}

		if !strings.HasPrefix(file.Doc.Text(), want) {
			return fmt.Sprintf("%s: its comment begins with %.30q, want %q", folder, file.Doc.Text(), want)
		}
	}

	if comments != 1 {
		return fmt.Sprintf("%s: %d comments of the package, want 1", folder, comments)
	}

	return ""
}

// No file has more than longest lines, tests included.
func TestFileLength(t *testing.T) {
	for name := range files(t, "../..") {
		if fault := overlong(name, sourceOf(t, name)); fault != "" {
			t.Error(fault)
		}
	}
}

func TestFileLengthRefuses(t *testing.T) {
	for _, name := range []string{"p/p.go", "p/p_test.go"} {
		if overlong(name, strings.Repeat("\n", longest+1)) == "" {
			t.Errorf("%s of 501 lines is taken", name)
		}
	}

	if fault := overlong("p/p.go", strings.Repeat("\n", longest)); fault != "" {
		t.Error(fault)
	}
}

func overlong(name, source string) string {
	if n := strings.Count(source, "\n"); n > longest {
		return fmt.Sprintf("%s has %d lines, more than %d: one idea each", name, n, longest)
	}

	return ""
}

// docs/README.md leads to every page, and to no page that there is not.
func TestIndex(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}

	var names []string

	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" {
			names = append(names, name)
		}
	}

	for _, fault := range unlisted(sourceOf(t, "docs/README.md"), names) {
		t.Error(fault)
	}
}

func TestIndexRefuses(t *testing.T) {
	got := unlisted("[a](a.md) [b](b.md#part) [gone](gone.md) [up](../README.md)", []string{"a.md", "b.md", "c.md"})
	if want := []string{"c.md is not in docs/README.md", "docs/README.md leads to gone.md, which is not there"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

var link = regexp.MustCompile(`\]\(([\w-]+\.md)(?:#[^)]*)?\)`)

func unlisted(index string, pages []string) (faults []string) {
	var linked []string

	for _, found := range link.FindAllStringSubmatch(index, -1) {
		linked = append(linked, found[1])
	}

	for _, page := range pages {
		if !slices.Contains(linked, page) {
			faults = append(faults, page+" is not in docs/README.md")
		}
	}

	for _, page := range linked {
		if !slices.Contains(pages, page) {
			faults = append(faults, "docs/README.md leads to "+page+", which is not there")
		}
	}

	return faults
}

func sourceOf(t *testing.T, name string) string {
	t.Helper()

	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}
