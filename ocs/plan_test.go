package main_test

import (
	"encoding/json"
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
		!strings.Contains(out, "line 6: rate 1: at times nothing has a price") {
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
PRICE and AMOUNT are in minor units (cents)

AT 2026-06-17 19:59:30 CEST
> day|no other rate applies
 night|Wed 2026-06-17 19:59:30 CEST is not night

AT 2026-06-17 20:00:00 CEST
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

// What the command line says of price plans, for whoever writes the first one.
func TestPlanMessages(t *testing.T) {
	o := run(t)
	night := written(t, "night.yaml", nightPlan)
	gap := written(t, "gap.yaml", strings.Replace(nightPlan, "  - {name: day", "  # - {name: day", 1))
	unquoted := written(t, "unquoted.yaml", "rates: [{prefix: +49, price: 1, interval: 1}]\n")
	without := written(
		t,
		"without.yaml",
		"rates: [{name: Germany, prefix: \"49\", price: 1, interval: 1}, {prefix: \"\", price: 2, interval: 1}]\n",
	)
	germany := written(t, "germany.yaml", `decimals: 2
destinations: {germany: ["+49"]}
periods: {night: [{from: "20:00", to: "08:00"}]}
rates:
  - {name: Germany by night, prefix: "", to: [germany], when: [night], price: 525, interval: 60, priority: 3, access: [WLAN, LTE]}
  - {name: Germany, prefix: "+49", price: 1050, interval: 60}
`)
	empty := written(t, "empty.yaml", "")
	records := written(
		t,
		"cdrs.jsonl",
		`{"account":"alice","called":"tel:+4930","session":"nf;1","started":"2026-06-17T12:00:00Z","billed_seconds":60}
{"account":"bob","called":"tel:+33123","session":"nf;2","started":"2026-06-17T12:00:00Z","billed_seconds":60}
`,
	)
	broken := written(t, "broken.jsonl", `{"account":5}`)

	for _, test := range []struct {
		line  []string
		want  []string
		never []string
		fails bool
	}{
		{[]string{"plan", "check", unquoted}, []string{`line 1: the prefix +49 is a number to YAML`, `write it in quotes, "+49"`}, nil, true},
		{[]string{"tariff", "set", "unquoted", unquoted}, []string{"write it in quotes"}, nil, true},
		{[]string{"plan", "check", without}, []string{"can be used, but", `the prefix "49"`, `write "+49" if 49 is a country code`}, nil, true},
		{[]string{"tariff", "set", "without", without}, []string{`warning: line 1: rate 1, prefix: the prefix "49"`, "version 1"}, nil, false},
		{[]string{"plan", "check", empty}, []string{"it is empty: a plan has rates"}, []string{"EOF"}, true},
		{[]string{"plan", "check", night, "--since", "soon"}, []string{`"soon" is no day, as 2026-03-29`}, []string{"parsing"}, true},
		{
			[]string{"rate", "explain", "--plan", gap, "--to", "+4930", "--at", "2026-06-17 12:00", "--seconds", "60"},
			[]string{"no rate in tariff", "is not night"},
			[]string{"AMOUNT", "total"},
			true,
		},
		{
			[]string{"rate", "explain", "--plan", germany, "--to", "tel:+4930", "--at", "2026-06-17 12:00", "--seconds", "60"},
			[]string{"|10.50/60|", "minor units", "> Germany|no other rate applies"},
			nil, false,
		},
		{
			[]string{"rate", "explain", "--plan", germany, "--to", "004930", "--seconds", "60", "--at", "2026-06-17 12:00"},
			[]string{"total|-|-|-|-|-|-|11"},
			nil, false,
		},
		{
			[]string{"rate", "explain", "--plan", night, "--at", "2026-03-29 02:30", "--seconds", "60"},
			[]string{"there is no 2026-03-29 02:30 in Europe/Berlin"},
			nil, true,
		},
		{
			[]string{"rate", "explain", "--plan", night, "--seconds", "-5"},
			[]string{"it should be a whole number from 0 on"},
			[]string{"strconv"},
			true,
		},
		{[]string{"tariff", "show", "germany", "--version", "x"}, []string{"it should be a whole number from 0 on"}, []string{"strconv"}, true},
		{
			[]string{"tariff", "set", "germany", germany},
			[]string{"1 is 0.01 minor units", "Germany by night|-|germany|night|", "access WLAN, LTE; priority 3", "Germany|+49|-|-|"},
			nil, false,
		},
		{[]string{"tariff", "price", "germany", "--number", "004930", "--seconds", "60"}, []string{"60|seconds|11"}, nil, false},
		{
			[]string{"plan", "diff", night, germany, "--cdrs", records},
			[]string{"alice|1|65|11|-54", "all|1|65|11|-54", "left out of both sums: 1 without a price", "bob|tel:+33123|", "|nf;2|" + germany},
			[]string{"bob|1"},
			false,
		},
		{
			[]string{"plan", "diff", night, germany, "--cdrs", broken},
			[]string{"line 1: no CDR: account cannot be a number"},
			[]string{"Go "},
			true,
		},
	} {
		out, err := o.cli("", test.line...)
		out = squeezed(out)

		if (err != nil) != test.fails {
			t.Errorf("%v: %v\n%s", test.line, err, out)
		}

		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v says\n%s\nwithout %s", test.line, out, want)
			}
		}

		for _, never := range test.never {
			if strings.Contains(out, never) {
				t.Errorf("%v says\n%s\nwith %s", test.line, out, never)
			}
		}
	}
}

// The commands on files print JSON, too.
func TestPlanJSON(t *testing.T) {
	o := run(t)
	plan := written(t, "plan.yaml", nightPlan)
	gap := written(t, "gap.yaml", strings.Replace(nightPlan, "  - {name: day", "  # - {name: day", 1))
	unquoted := written(t, "unquoted.yaml", "rates: [{prefix: +49, price: 1, interval: 1}]\n")
	records := written(
		t,
		"cdrs.jsonl",
		`{"account":"alice","called":"tel:+4930","session":"nf;1","started":"2026-06-17T12:00:00Z","billed_seconds":60}`,
	)

	for _, test := range []struct {
		line  []string
		want  []string
		fails bool
	}{
		{[]string{"plan", "check", plan}, []string{`"usable":true`, `"findings":[]`}, false},
		{[]string{"plan", "check", gap}, []string{`"usable":true`, `"line":6`, `"path":"rates[0]"`}, true},
		{[]string{"plan", "check", unquoted}, []string{`"usable":false`, `"line":1`, "write it in quotes"}, true},
		{
			[]string{"rate", "explain", "--plan", plan, "--to", "004930", "--at", "2026-06-17 19:59:30", "--seconds", "90"},
			[]string{`"number":"+4930"`, `"total":65`, `"rate":"night","used":true`},
			false,
		},
		{
			[]string{"rate", "explain", "--plan", gap, "--at", "2026-06-17 12:00", "--seconds", "90"},
			[]string{`"unpriced":"no rate`, `"used":false`},
			true,
		},
		{[]string{"plan", "diff", plan, gap, "--cdrs", records}, []string{`"accounts":[]`, `"session":"nf;1"`}, false},
	} {
		out, err := o.cli("", append(test.line, "--json")...)
		if (err != nil) != test.fails {
			t.Errorf("%v: %v\n%s", test.line, err, out)
		}

		var value json.RawMessage
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&value); err != nil {
			t.Errorf("%v: %v\n%s", test.line, err, out)
			continue
		}

		text, _ := json.Marshal(value)
		for _, want := range test.want {
			if !strings.Contains(string(text), want) {
				t.Errorf("%v prints\n%s\nwithout %s", test.line, text, want)
			}
		}
	}
}
