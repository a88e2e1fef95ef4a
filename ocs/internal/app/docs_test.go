package app

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/test/page"
)

// The reference page, or that of the shared settings, names every setting, resource and metric, and shows the state machine.
func TestReferencePage(t *testing.T) {
	defaults := Default()
	page.Read(t, "ocs.md", "settings.md").Settings(&defaults)

	store, err := ledger.Open(filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	registry := prometheus.NewRegistry()
	if _, err := credit.NewServer(defaults.Credit, store, slog.New(slog.DiscardHandler), registry); err != nil {
		t.Fatal(err)
	}

	reference := page.Read(t, "ocs.md")
	reference.Names("resource", api.Resources()...)
	reference.Shows(credit.Machine.String())
	reference.Metrics(registry, "dialtone_ocs_")
}

func TestDefaultsAreValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
