package scenario

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCharging(t *testing.T) {
	for want, c := range map[string]Charging{
		"":                      OwnCharging,
		"--margin less than it": {Quota: 5 * time.Second, Margin: 5 * time.Second},
		"--quota must be":       {},
		"would not renew":       {Quota: time.Minute, Margin: 2 * time.Second},
	} {
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}

	place := Loopback
	place.Charging = Charging{Quota: 5 * time.Second, Margin: 1500 * time.Millisecond}

	var environment []string
	for _, f := range place.Functions(TestNetwork, "var") {
		environment = append(environment, f.Environment...)
	}

	for _, want := range []string{"DIALTONE_OCS_CREDIT_QUOTA=5s", "DIALTONE_SCSCF_SESSIONS_CHARGING_UPDATE_MARGIN=1.5s"} {
		if !slices.Contains(environment, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestPlan(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	write := func(text string) Charging {
		t.Helper()

		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		return Charging{Plan: file}
	}

	c := write("rates: [{prefix: '', price: 3, interval: 1}]")
	if plan, err := c.tariff(); err != nil || plan["name"] != "standard" || len(plan["rates"].([]any)) != 1 {
		t.Errorf("%v, %v", plan, err)
	}

	if !c.right(10, 30) || !strings.Contains(c.explain(10), "10 s by "+file) {
		t.Error(c.explain(10))
	}

	c = write("rates: [")
	if _, err := c.tariff(); err == nil || !strings.Contains(err.Error(), "--plan "+file) {
		t.Error(err)
	}

	if own := OwnCharging; own.right(10, 16) || !own.right(10, 15) {
		t.Error("10 s cost 15 cents")
	}
}
