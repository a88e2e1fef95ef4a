package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/test/openapi"
	"github.com/dialtone-ims/dialtone/test/page"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

// The reference page, or that of the shared settings, names every setting, resource and metric, and shows the state machine.
func TestReferencePage(t *testing.T) {
	defaults := Default()
	page.Read(t, "ocs.md").Settings(&defaults)

	env := built(t)
	reference := page.Read(t, "ocs.md")
	reference.Resources(env.Admin.Resources())
	reference.Shows(credit.Machine.String())
	reference.Metrics(env.Metrics, "ocs")
}

func built(t *testing.T) *service.Env {
	t.Helper()

	c := Default()
	c.Data, c.Diameter.Listen = scratch.Dir(t), []diameter.Listener{{Address: "127.0.0.1:0"}}

	return page.Built(t, &c, Build)
}

// openapi.json describes what is served. The requests of the binary's tests are checked against it, too.
func TestOpenAPI(t *testing.T) {
	openapi.Hold(t, "Dialtone OCS", built(t).Admin.Resources())
}

func TestDefaultsAreValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
