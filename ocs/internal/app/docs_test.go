package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/config"
)

func page(t *testing.T, names ...string) string {
	t.Helper()

	var pages strings.Builder
	for _, name := range names {
		page, err := os.ReadFile("../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		pages.Write(page)
	}

	return pages.String()
}

// The reference page, or that of the shared settings, names every setting, resource and metric, and shows the state machine.
func TestReferencePage(t *testing.T) {
	own := page(t, "ocs.md")
	all := own + page(t, "settings.md")

	defaults := Default()
	for _, key := range config.Keys(&defaults) {
		if !strings.Contains(all, "`"+key.Path+"`") {
			t.Errorf("neither docs/ocs.md nor docs/settings.md names %s", key.Path)
		}
	}
	for _, resource := range api.Resources() {
		if !strings.Contains(own, "`"+resource+"`") {
			t.Errorf("docs/ocs.md does not name %s", resource)
		}
	}
	if !strings.Contains(own, credit.Machine.String()) {
		t.Errorf("docs/ocs.md does not show the session as it is:\n%s", credit.Machine)
	}

	store, err := ledger.Open(filepath.Join(t.TempDir(), "ledger.db"), credit.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	registry := prometheus.NewRegistry()
	if _, err := credit.NewServer(defaults.Credit, store, slog.New(slog.DiscardHandler), registry); err != nil {
		t.Fatal(err)
	}
	for _, metric := range described(registry) {
		if !strings.Contains(own, "`"+metric+"`") {
			t.Errorf("docs/ocs.md does not name the metric %s", metric)
		}
	}
}

// described is the name of every metric, also of those that have no value yet.
func described(registry *prometheus.Registry) (names []string) {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()

	for description := range descriptions {
		_, rest, _ := strings.Cut(description.String(), `fqName: "`)
		name, _, _ := strings.Cut(rest, `"`)
		names = append(names, name)
	}

	return names
}

func TestDefaultsAreValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
