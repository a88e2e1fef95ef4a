package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/test/openapi"
	"github.com/dialtone-ims/dialtone/test/page"
)

// The reference page names every setting, every resource and every metric that there is.
func TestReferencePage(t *testing.T) {
	reference := page.Read(t, "hss.md")

	defaults := Default()
	reference.Settings(&defaults)

	env := page.Built(t, settings(t), Build)
	reference.Metrics(env.Metrics, "hss")
	reference.Resources(env.Admin.Resources())
}

// openapi.json describes what is served. The requests of this package's tests are checked against it, too (TestMain).
func TestOpenAPI(t *testing.T) {
	openapi.Hold(t, "Dialtone HSS", page.Built(t, settings(t), Build).Admin.Resources())
}
