package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/icscf/internal/interrogation"
	"github.com/dialtone-ims/dialtone/test/page"
)

// The reference page, or that of the shared settings, names every setting; the former every metric.
func TestReferencePage(t *testing.T) {
	defaults := Default()
	page.Read(t, "icscf.md", "settings.md").Settings(&defaults)

	registry := prometheus.NewRegistry()
	(&interrogation.Interrogator{}).Register(registry)
	page.Read(t, "icscf.md").Metrics(registry, "dialtone_icscf_")
}

func TestDefaultsAreValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
