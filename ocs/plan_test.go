package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/scratch"
)

const nightPlan = `time_zone: Europe/Berlin
periods:
  night: [{from: "20:00", to: "08:00"}]
rates:
  - {name: day, prefix: "", price: 60, interval: 60, connection_fee: 5}
  - {name: night, prefix: "", when: [night], price: 30, interval: 60}
`

func written(t *testing.T, name, text string) string {
	t.Helper()

	file := filepath.Join(scratch.Dir(t), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	return file
}

var spaces = regexp.MustCompile(` {2,}`)

// squeezed returns a table with single gaps.
func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, spaces.ReplaceAllString(strings.TrimRight(line, " \n"), "|"))
	}

	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// A plan is checked, explained, published and compared from the command line.
func TestPlans(t *testing.T) {
	o := run(t)
	plan := written(t, "plan.yaml", nightPlan)

	out, err := o.cli("", "plan", "check", plan)
	if err != nil || !strings.Contains(out, "every rate is used") {
		t.Errorf("check: %s %v", out, err)
	}

	gap := written(t, "gap.yaml", strings.Replace(nightPlan, "  - {name: day", "  # - {name: day", 1))
	if out, err = o.cli("", "plan", "check", gap); err == nil ||
		!strings.Contains(out, "line 6: rates[0]: at times nothing has a price") {
		t.Errorf("a gap: %s %v", out, err)
	}

	wrong := written(t, "wrong.yaml", strings.Replace(nightPlan, "connection_fee", "conection_fee", 1))
	if out, err = o.cli("", "tariff", "set", "standard", wrong); err == nil ||
		!strings.Contains(out, `line 5: unknown field "conection_fee"`) {
		t.Errorf("an unknown key: %s %v", out, err)
	}

	if out, err = o.cli("", "tariff", "set", "standard", plan); err != nil {
		t.Fatalf("set: %s %v", out, err)
	}

	for _, name := range []string{plan, "standard"} {
		out, err = o.cli("", "rate", "explain", "--plan", name, "--to", "+4930", "--at", "2026-06-17 19:59:30", "--seconds", "90")
		want := `LINE|RATE|FROM|USED|CHARGED|PRICE|TIER|AMOUNT
connection fee|day|2026-06-17 19:59:30 CEST|-|-|-|-|5
seconds|day|2026-06-17 19:59:30 CEST|30|30|60/60|-|30
seconds|night|2026-06-17 20:00:00 CEST|60|60|30/60|-|30
total|-|-|-|-|-|-|65

AT 2026-06-17 19:59:30 CEST|-
> day|it goes first
 night|Wed 2026-06-17 19:59:30 CEST is not night

AT 2026-06-17 20:00:00 CEST|-
> night|it goes first
 day|night has the narrower conditions`
		if got := strings.ReplaceAll(squeezed(out), "\n|", "\n "); err != nil || got != want {
			t.Errorf("explain of %s: %v\n%s\nwant\n%s", name, err, got, want)
		}
	}

	records := written(
		t,
		"cdrs.jsonl",
		`{"account":"alice","kind":"call","called":"tel:+4930","started":"2026-06-17T19:00:00Z","billed_seconds":60}
{"account":"bob","kind":"call","called":"tel:+4930","started":"2026-06-17T12:00:00Z","billed_seconds":60}
`,
	)
	flat := written(t, "flat.yaml", "rates: [{prefix: \"\", price: 40, interval: 60}]\n")

	out, err = o.cli("", "plan", "diff", "standard", flat, "--cdrs", records)
	for _, want := range []string{"alice|1|30|40|10", "bob|1|65|40|-25", "all|2|95|80|-15"} {
		if err != nil || !strings.Contains(squeezed(out), want) {
			t.Errorf("diff: %v\n%s\nwant %s", err, squeezed(out), want)
		}
	}
}
