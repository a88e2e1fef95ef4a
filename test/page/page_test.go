package page

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// The page of the settings that functions share has these, with their defaults, and no other. What it leaves to the pages of the functions
// is theirs to prove.
func TestSharedPage(t *testing.T) {
	shared := struct {
		service.Common `yaml:",inline"`

		SIP      stack.Config    `yaml:"sip"`
		Diameter diameter.Config `yaml:"diameter"`
	}{service.DefaultCommon("127.0.0.1:0"), stack.DefaultConfig(), diameter.DefaultConfig("node."+config.Home(), config.Home())}

	page := Read(t, sharedPage)
	keys, found := config.Keys(&shared), map[string]row{}

	for _, fault := range rows(sharedPage, page.Text, keys, found) {
		t.Error(fault)
	}

	for path := range found {
		if !known(keys, path) {
			t.Errorf("it has %s, which there is not", path)
		}
	}

	for _, key := range keys {
		if r, ok := found[key.Path]; !ok || r.fallback != ofEach && !says(r.fallback, key.Value) {
			t.Errorf("the default of %s is %q; it says %q", key.Path, key.Value, r.fallback)
		}
	}

	registry := prometheus.NewRegistry()
	log := slog.New(slog.DiscardHandler)

	if _, err := stack.New(shared.SIP, nil, stack.Options{Network: memory.New(), Metrics: registry}); err != nil {
		t.Fatal(err)
	}

	if _, err := diameter.New(shared.Diameter, nil, diameter.Options{Log: log, Metrics: registry}); err != nil {
		t.Fatal(err)
	}

	if _, err := trace.NewRecorder(trace.Config{}, log, registry); err != nil {
		t.Fatal(err)
	}

	names := described(registry)

	for _, match := range metricNamed.FindAllString(page.Text, -1) {
		if !slices.Contains(names, match) {
			t.Errorf("it has %s, which there is not", match)
		}
	}
}

// Each rule refuses the fault that the fixtures have for it, and nothing else.
func TestSettingsRefuses(t *testing.T) {
	type peer struct {
		Host string `yaml:"host"`
	}

	type endpoint struct {
		Name    string `yaml:"name"`
		Address string `yaml:"address"`
	}

	var fixture struct {
		Name    string        `yaml:"name"`
		Wait    time.Duration `yaml:"wait"`
		Level   string        `yaml:"level"`
		Peers   []peer        `yaml:"peers"`
		Home    string        `yaml:"home"`
		Address string        `yaml:"address"`
		Missing bool          `yaml:"missing"`
		Inner   struct {
			Kept int `yaml:"kept"`
			Min  int `yaml:"min"`
		} `yaml:"inner"`
		SIP struct {
			Endpoints []endpoint `yaml:"endpoints"`
		} `yaml:"sip"`
		Protection struct {
			Core []string `yaml:"core"`
		} `yaml:"protection"`
	}

	fixture.Name, fixture.Wait, fixture.Level, fixture.Home = "one", 30*time.Second, "low", "sip:x."+config.Home()+":5060"
	fixture.Address, fixture.SIP.Endpoints = "127.0.0.1:80", []endpoint{{"Mw", "127.0.0.1:5060"}}

	own, shared := fixtures(t, "function.md"), fixtures(t, "settings.md")
	other := map[string]string{"other.md": "`inner.also_gone`, `inner.kept`, `protection.another`"}

	expect(t, settings(config.Keys(&fixture), own, shared, other),
		"docs/function.md has level again, which is in docs/settings.md",
		"docs/function.md has naem, which there is not",
		"docs/function.md names the setting inner.gone, which there is not",
		"docs/function.md names the setting protection.gone, which there is not",
		"docs/function.md: \"Not A Key\" is no key",
		"docs/function.md has Not A Key, which there is not",
		"docs/function.md: `inner.kept`, `inner.min`: 2 keys with 1 defaults",
		"docs/function.md: a table of settings without a column \"default\"",
		"docs/function.md: no list has elements with port",
		`docs/function.md: the default of name is "one"; it says "other"`,
		"docs/other.md names the setting inner.also_gone, which there is not",
		"docs/settings.md has inner.gone, which there is not",
		`address: docs/settings.md leaves its default to the page of the function, which does not have it: "127.0.0.1:80"`,
		`inner.kept is in no table; its default is "0"`,
		`inner.min is in no table; its default is "0"`,
		`missing is in no table; its default is "false"`,
		"peers: what an element of the list has is not named: `{host}`",
		`protection.core is in no table; its default is "[]"`,
	)
}

func TestMetricsRefuses(t *testing.T) {
	names := []string{
		"dialtone_fixture_calls_total", "dialtone_fixture_unnamed_total", "dialtone_sip_requests_total", "dialtone_sip_unnamed", "go_gc",
	}
	own, shared := fixtures(t, "function.md"), fixtures(t, "settings.md")
	others := map[string]string{
		"function.md": own["function.md"], "settings.md": shared["settings.md"],
		"other.md": "`dialtone_fixture_also_gone`, `dialtone_another_total`",
	}

	expect(t, metrics(names, "fixture", own, shared, others),
		"docs/function.md names dialtone_enum_gone_total, which there is not",
		"docs/function.md names dialtone_fixture_gone_total, which there is not",
		"docs/function.md names dialtone_sip_gone_total, which there is not",
		"docs/other.md names dialtone_fixture_also_gone, which there is not",
		"the metric dialtone_fixture_unnamed_total is not named",
		"the metric dialtone_sip_unnamed is not named",
	)

	expect(t, metrics(nil, "fixture", nil, nil, nil), "there is no metric dialtone_fixture_…")
}

func fixtures(t *testing.T, name string) map[string]string {
	t.Helper()

	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}

	return map[string]string{name: string(text)}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)

	if !slices.Equal(got, want) {
		t.Errorf("refused\n%s\n\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
