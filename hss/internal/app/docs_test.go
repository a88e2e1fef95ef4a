package app

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/config"
)

// The reference page names every setting, every resource and every metric that there is.
func TestReferencePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/hss.md")
	if err != nil {
		t.Fatal(err)
	}

	named := func(what, name string) {
		t.Helper()
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/hss.md does not name the %s %s", what, name)
		}
	}

	defaults := Default()
	for _, key := range config.Keys(&defaults) {
		named("setting", key.Path)
	}
	for _, pattern := range provisioning.Resources() {
		named("resource", pattern)
	}

	h := start(t, settings(t))
	h.built.pushes.Wake()
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "dialtone_hss_") {
			named("metric", family.GetName())
		}
	}

	resources := strings.Join(provisioning.Resources(), "\n") + "\nGET /diameter/peers"
	for _, match := range regexp.MustCompile("`((?:GET|POST|PUT|DELETE) [^`]*)`").FindAllStringSubmatch(string(page), -1) {
		if match[1] != "GET /pushes" && !strings.Contains(resources, match[1]) {
			t.Errorf("docs/hss.md names %s, which there is not", match[1])
		}
	}
}
