package rating

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each bad plan is refused, or noticed, with the message that its last lines are.
func TestBadPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*")
	if err != nil {
		t.Fatal(err)
	}

	const least = 20
	if len(files) < least {
		t.Errorf("%d bad plans, want %d", len(files), least)
	}

	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			plan, want, _ := bytes.Cut(text, []byte("# --\n"))
			want = bytes.ReplaceAll(want, []byte("# "), nil)

			notices, err := Check(plan, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			if err == nil && len(notices) > 0 {
				err = notices
			}

			got := ""
			if err != nil {
				got = err.Error() + "\n"
			}

			if got != string(want) {
				t.Errorf("it says\n%swant\n%s", got, want)
			}
		})
	}
}

const example = `{
	"time_zone": "Europe/Berlin",
	"periods": {"night": [{"from": "22:00", "to": "06:00"}]},
	"tax": {"name": "VAT", "percent": 8.1},
	"rates": [
		{"prefix": "+49", "when": ["night"], "price": 1, "interval": 1},
		{"prefix": "", "price": 2, "interval": 1, "tiers": [{"above": 60, "price": 1}]}
	]
}`

// A plan means the same in JSON and in YAML, and comes back from JSON as it was.
func TestFormats(t *testing.T) {
	fromJSON, err := Read([]byte(example))
	if err != nil {
		t.Fatal(err)
	}

	fromYAML, err := Read([]byte(`
time_zone: Europe/Berlin
periods:
  night: [{from: "22:00", to: "06:00"}]
tax: {name: VAT, percent: 8.1}
rates:
  - {prefix: "+49", when: [night], price: 1, interval: 1}
  - prefix: ""
    price: 2
    interval: 1
    tiers: [{above: 60, price: 1}]
`))
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(fromJSON.Tariff, fromYAML.Tariff); diff != "" {
		t.Error(diff)
	}

	text, err := json.Marshal(fromJSON.Tariff)
	if err != nil {
		t.Fatal(err)
	}

	var again Tariff
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(fromJSON.Tariff, again); diff != "" {
		t.Error(diff)
	}

	if again.Tax.Percent != 8100 || fromJSON.Rates[0].When[0] != "night" {
		t.Errorf("%+v", again)
	}
}

// What is read from outside never panics, and what is accepted can be priced.
func FuzzRead(f *testing.F) {
	f.Add([]byte(example))

	for _, pattern := range []string{"testdata/bad/*", "testdata/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}

			f.Add(text)
		}
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Read(text)
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("%v is no fault of the plan", err)
			}

			return
		}

		at := time.Date(2026, 3, 29, 0, 59, 0, 0, time.UTC)
		for _, unit := range []Unit{Seconds, Octets, Events} {
			m := p.Meter(Service{Number: "+4930"}, unit)
			if _, err := m.Rate(at); err != nil {
				continue
			}

			if bill := m.Bill(m.Add(nil, at, 4000)); bill.Total != m.Cost(m.Add(nil, at, 4000)) {
				t.Errorf("%+v", bill)
			}
		}
	})
}
