package app

import (
	"os"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/config"
)

// The reference page, or that of the shared settings, names every setting.
func TestReferencePage(t *testing.T) {
	var pages strings.Builder
	for _, name := range []string{"ocs.md", "settings.md"} {
		page, err := os.ReadFile("../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		pages.Write(page)
	}

	defaults := Default()
	for _, key := range config.Keys(&defaults) {
		if !strings.Contains(pages.String(), "`"+key.Path+"`") {
			t.Errorf("neither docs/ocs.md nor docs/settings.md names %s", key.Path)
		}
	}
}

func TestDefaultsAreValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
