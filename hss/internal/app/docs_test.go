package app

import (
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/test/page"
)

// The reference page names every setting, every resource and every metric that there is.
func TestReferencePage(t *testing.T) {
	reference := page.Read(t, "hss.md")

	defaults := Default()
	reference.Settings(&defaults)
	reference.Names("resource", provisioning.Resources()...)
	reference.Metrics(start(t, settings(t)).registry, "dialtone_hss_")

	resources := strings.Join(provisioning.Resources(), "\n") + "\nGET /diameter/peers"
	for _, match := range regexp.MustCompile("`((?:GET|POST|PUT|DELETE) [^`]*)`").FindAllStringSubmatch(reference.Text, -1) {
		if match[1] != "GET /pushes" && !strings.Contains(resources, match[1]) {
			t.Errorf("docs/hss.md names %s, which there is not", match[1])
		}
	}
}
