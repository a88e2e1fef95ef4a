package report

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
)

// sweep is a scenario with runs of two repetitions of each point.
func sweep(t *testing.T, parameters scenario.Parameters) (*scenario.Scenario, []*results.Run) {
	t.Helper()

	s := scenario.Default()
	s.Name, s.Question, s.Repetitions, s.Sweep = "A <test>", "Is it \"so\"?", 2, parameters
	s.Labels = map[string]string{"client.margin": "the margin"}

	points := [][]string{{}}
	for _, p := range parameters {
		var more [][]string
		for _, point := range points {
			for _, value := range p.Value.([]any) {
				more = append(more, append(append([]string{}, point...), fmt.Sprint(value)))
			}
		}
		points = more
	}

	var runs []*results.Run
	for i, point := range points {
		for repetition := range 2 {
			n := float64(i*10 + repetition + 1)
			run := &results.Run{Point: strings.Join(point, ","), Values: point, Repetition: repetition, Figures: map[string]float64{
				results.Sessions: 100, "requests_per_session": n, "leakage_share": n / 2, "reserved_mean": 100 * n,
			}}
			for at := range 10 {
				run.Series = append(
					run.Series,
					results.Sample{At: float64(at * 3600), Balance: 1000 - n*float64(at), Revenue: n * float64(at)},
				)
				run.Latency.Add(time.Duration(at*10+1) * time.Millisecond)
			}
			runs = append(runs, run)
		}
	}

	return s, runs
}

// The page has the question, the scenario, the plots and the figures, and needs nothing from elsewhere; each plot is a picture, too.
func TestReport(t *testing.T) {
	for name, parameters := range map[string]scenario.Parameters{
		"numbers":         {{Name: "ocs.credit.quota", Value: []any{"10s", "1m", "5m"}}},
		"words":           {{Name: "client.failure", Value: []any{"terminate", "continue"}}},
		"two parameters":  {{Name: "network.loss", Value: []any{0, 0.1}}, {Name: "client.margin", Value: []any{"1s", "5s", "9s"}}},
		"without a sweep": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s, runs := sweep(t, parameters)
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "scenario.yaml"), []byte("name: A <test>\n"), 0o600); err != nil {
				t.Fatal(err)
			}

			if err := Write(folder, s, runs, 3); err != nil {
				t.Fatal(err)
			}

			text, err := os.ReadFile(filepath.Join(folder, "report.html"))
			if err != nil {
				t.Fatal(err)
			}

			page := string(text)
			for _, want := range []string{
				"<h1>A &lt;test&gt;</h1>", "Is it &#34;so&#34;?", "3 runs are missing", "name: A &lt;test&gt;", "95 % confidence",
				"<td>requests per session</td>", "<td>leakage share, %</td>", "runs of 24h in",
			} {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not say %q", want)
				}
			}

			for _, foreign := range []string{"<script", "src=\"http", "href=\"http", "url(", "cut share"} {
				if strings.Contains(page, foreign) {
					t.Errorf("the page has %s", foreign)
				}
			}

			if n := strings.Count(page, "<svg"); n != 5 { // signalling, reservation, leakage, money, latency
				t.Errorf("the page has %d plots", n)
			}

			for _, plot := range []string{"signalling", "reservation", "leakage", "money", "latency"} {
				picture(t, filepath.Join(folder, plot+".png"))
			}

			if _, err := os.Stat(filepath.Join(folder, "lost.png")); err == nil {
				t.Error("a plot shows zeros alone")
			}
		})
	}
}

// picture wants a picture that is not empty.
func picture(t *testing.T, file string) {
	t.Helper()

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	drawn, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}

	seen := map[[3]uint32]bool{}
	for x := range drawn.Bounds().Dx() {
		for y := range drawn.Bounds().Dy() {
			r, g, b, _ := drawn.At(x, y).RGBA()
			if seen[[3]uint32{r, g, b}] = true; len(seen) == 20 {
				return
			}
		}
	}

	t.Errorf("%s has %d colours", file, len(seen))
}

// The axis is in the scale of the values: words side by side, numbers as far apart as they are, on a logarithmic axis if they go far.
func TestAxis(t *testing.T) {
	for _, test := range []struct {
		values               []any
		places               []float64
		logarithmic, nominal bool
	}{
		{[]any{"10s", "20s", "30s"}, []float64{10, 20, 30}, false, false},
		{[]any{"10s", "1m", "15m"}, []float64{10, 60, 900}, true, false},
		{[]any{0, 0.5}, []float64{0, 0.5}, false, false},
		{[]any{"terminate", "retry"}, []float64{0, 1}, false, true},
		{[]any{7}, []float64{0}, false, true},
	} {
		s, runs := sweep(t, scenario.Parameters{{Name: "x", Value: test.values}})
		d := &data{scenario: s, parameters: s.Parameters(), points: results.Summarise(runs)}

		places, ticks, logarithmic, nominal := d.xs()
		if fmt.Sprint(places) != fmt.Sprint(test.places) || logarithmic != test.logarithmic || nominal != test.nominal ||
			ticks[0].text != fmt.Sprint(test.values[0]) {
			t.Errorf("%v: %v %v %v", test.values, places, logarithmic, nominal)
		}
	}
}

// Whiskers do not stretch the axis beyond what can be.
func TestSpan(t *testing.T) {
	s, runs := sweep(t, scenario.Parameters{{Name: "x", Value: []any{1, 2}}})
	d := &data{scenario: s, parameters: s.Parameters(), points: results.Summarise(runs)}

	least, most := d.span([]measure{{"requests_per_session", ""}})
	if least != 0 || most < 11.5 || most > 4*11.5*1.06 {
		t.Errorf("from %v to %v", least, most)
	}

	for _, p := range d.points {
		if e := p.Estimates["requests_per_session"]; e.Mean+e.Half > 0.96*most {
			t.Errorf("a whisker to %v has no room below %v", e.Mean+e.Half, most)
		}
	}

	if least, most := d.span([]measure{{"cut_share", ""}}); least != 0 || most != 1 {
		t.Errorf("of nothing from %v to %v", least, most)
	}
}

// A legend is below its plot, in as many columns as there is room for, and takes nothing of its width or height.
func TestLegend(t *testing.T) {
	for _, test := range []struct {
		entries       int
		text          string
		columns, rows int
	}{
		{0, "", 0, 0},
		{2, "short", 2, 1},
		{9, "overshoot, failure: terminate", 3, 3},
		{4, "overshoot, failure: terminate", 2, 2},
		{2, strings.Repeat("very long ", 20), 1, 2},
	} {
		drawn := newDrawing(&charts[0], "x")
		for range test.entries {
			drawn.name(test.text)
		}

		columns, rows, cell := drawn.table()
		if columns != test.columns || rows != test.rows {
			t.Errorf("%d times %.30q: %d columns, %d rows", test.entries, test.text, columns, rows)
		}

		if _, high := drawn.size(); high != height+cell.Y*vg.Length(rows) {
			t.Errorf("%d times %.30q: the plot has %v left of %v", test.entries, test.text, high-cell.Y*vg.Length(rows), height)
		}
	}
}

func TestUnknownPlot(t *testing.T) {
	s, runs := sweep(t, nil)
	s.Plots = []string{"profit"}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "scenario.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	if err := Write(folder, s, runs, 0); err == nil || !strings.Contains(err.Error(), `none named "profit"; there are [signalling`) {
		t.Error(err)
	}
}

func TestShort(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 0.1234: "0.123", 12.34: "12.3", 123.4: "123", 9999: "9999", 12_345: "12.3 k", 1_234_567: "1.23 M", -20_000: "-20 k", 3e9: "3 G",
	} {
		if got := short(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}
