// Package page holds pages of docs/ against the program that they describe.
package page

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Page is the text of one page, or of several that are read together.
type Page struct {
	t     testing.TB
	names []string
	Text  string
}

// docs returns where the pages are, seen from a test of any package.
func docs(t testing.TB) string {
	t.Helper()

	root := "."
	for range 8 {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return filepath.Join(root, "docs")
		}

		root = filepath.Join(root, "..")
	}

	t.Fatal("there is no go.mod above this test")

	return ""
}

// Read reads pages by their names in docs/.
func Read(t testing.TB, names ...string) *Page {
	t.Helper()

	p := &Page{t: t, names: names}
	texts := p.read(names...)

	for _, name := range names {
		p.Text += texts[name]
	}

	return p
}

// read reads pages by their names.
func (p *Page) read(names ...string) map[string]string {
	p.t.Helper()

	texts := map[string]string{}

	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(docs(p.t), name))
		if err != nil {
			p.t.Fatal(err)
		}

		texts[name] = string(text)
	}

	return texts
}

// everyPage names all pages.
func everyPage(t testing.TB) (names []string) {
	t.Helper()

	pages, err := filepath.Glob(filepath.Join(docs(t), "*.md"))
	if err != nil {
		t.Fatal(err)
	}

	for _, page := range pages {
		names = append(names, filepath.Base(page))
	}

	return append(names, filepath.Join("..", "README.md"))
}

// Names wants that each of these stands somewhere as code.
func (p *Page) Names(what string, names ...string) {
	p.t.Helper()

	for _, name := range names {
		if !strings.Contains(p.Text, "`"+name+"`") {
			p.t.Errorf("docs/%s: the %s %s is not named", strings.Join(p.names, ", "), what, name)
		}
	}
}

// Shows wants a text as it is, such as a state machine.
func (p *Page) Shows(text string) {
	p.t.Helper()

	if !strings.Contains(p.Text, text) {
		p.t.Errorf("docs/%s does not show\n%s", strings.Join(p.names, ", "), text)
	}
}

var named = regexp.MustCompile("`((?:GET|POST|PUT|PATCH|DELETE) /[^` ?]*)`")

// common are resources of every function, which settings.md names.
var common = []string{
	"GET /healthz", "GET /readyz", "GET /metrics", "GET /config", "GET /openapi.json", "GET /trace", "GET /trace.pcapng",
	"GET /debug/pprof/{profile...}", "GET /debug/pprof/profile",
}

// Resources wants what the function has besides what all have, and that no other is named.
func (p *Page) Resources(all []httpapi.Resource) {
	p.t.Helper()

	var patterns []string

	for _, r := range all {
		patterns = append(patterns, r.Pattern)

		if !slices.Contains(common, r.Pattern) {
			p.Names("resource", r.Pattern)
		}
	}

	for _, match := range named.FindAllStringSubmatch(p.Text, -1) {
		if !slices.Contains(patterns, match[1]) {
			p.t.Errorf("docs/%s names %s, which there is not", strings.Join(p.names, ", "), match[1])
		}
	}
}
