// Package page holds pages of docs/ against the program that they describe.
package page

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Page is the text of one page, or of several that are read together.
type Page struct {
	t    testing.TB
	name string
	Text string
}

// Read reads pages by their names in docs/, for a test three folders down, as those of each function's packages are.
func Read(t testing.TB, names ...string) *Page {
	t.Helper()

	var text strings.Builder

	for _, name := range names {
		page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}

		text.Write(page)
	}

	return &Page{t, strings.Join(names, ", "), text.String()}
}

// Names wants that each of these stands somewhere as code.
func (p *Page) Names(what string, names ...string) {
	p.t.Helper()

	for _, name := range names {
		if !strings.Contains(p.Text, "`"+name+"`") {
			p.t.Errorf("docs/%s: the %s %s is not named", p.name, what, name)
		}
	}
}

// Settings wants all that a configuration has.
func (p *Page) Settings(defaults any) {
	p.t.Helper()

	for _, key := range config.Keys(defaults) {
		p.Names("setting", key.Path)
	}
}

// Metrics wants all that begin with a prefix, also those that have no value yet.
func (p *Page) Metrics(registry *prometheus.Registry, prefix string) {
	p.t.Helper()

	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()

	found := false

	for description := range descriptions {
		_, rest, _ := strings.Cut(description.String(), `fqName: "`)
		name, _, _ := strings.Cut(rest, `"`)

		if strings.HasPrefix(name, prefix) {
			p.Names("metric", name)
			found = true
		}
	}

	if !found {
		p.t.Errorf("there is no metric %s…", prefix)
	}
}

// Shows wants a text as it is, such as a state machine.
func (p *Page) Shows(text string) {
	p.t.Helper()

	if !strings.Contains(p.Text, text) {
		p.t.Errorf("docs/%s does not show\n%s", p.name, text)
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
			p.t.Errorf("docs/%s names %s, which there is not", p.name, match[1])
		}
	}
}
