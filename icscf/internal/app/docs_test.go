package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/test/openapi"
	"github.com/dialtone-ims/dialtone/test/page"
)

// TestReferencePage: the reference page, or that of the shared settings, names every setting; the former names every metric.
func TestReferencePage(t *testing.T) {
	defaults := Default()
	page.Read(t, "icscf.md").Settings(&defaults)

	env := built(t)
	reference := page.Read(t, "icscf.md")
	reference.Metrics(env.Metrics, "icscf")
	reference.Resources(env.Admin.Resources())
}

func built(t *testing.T) *service.Env {
	t.Helper()

	c := Default()
	c.SIP.Endpoints[0].Address = "127.0.0.1:0"

	return page.Built(t, &c, Build)
}

func TestOpenAPI(t *testing.T) {
	openapi.Hold(t, "Dialtone I-CSCF", built(t).Admin.Resources())
}

func TestDefaultsAreValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
