package runner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

const small = `
name: small
duration: 25m
sweep: {quota: [20s, 2m]}
client: {margin: 3s}
network: {loss: 0.02, duplication: 0.05, delay: {distribution: exponential, mean: 50ms}}
outages: [{at: 10m, for: 3m, kill: kill}]
tariffs:
  standard:
    rates: [{prefix: "", price: 10, interval: 60, event_price: 5, volume_price: 1, volume_interval: 100000}]
population:
  - name: families
    count: 12
    members: 3
    balance: 60
    top_up: {amount: 40, after: {distribution: exponential, mean: 5m}}
    services:
      - kind: call
        arrivals: {process: poisson, per_day: 150}
        holding: {distribution: exponential, mean: 2m}
        ringing: {distribution: uniform, from: 1s, to: 5s}
        answered: 0.8
        vanish: 0.5
      - kind: message
        arrivals: {process: deterministic, per_day: 40}
      - kind: data
        arrivals: {process: poisson, per_day: 30}
        holding: {distribution: exponential, mean: 1m}
        volume: {distribution: lognormal, mean: 2 MB, deviation: 3 MB}
`

func load(t *testing.T, text string, o scenario.Options) *scenario.Scenario {
	t.Helper()

	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "kill: kill", "kind: kill")), 0o600); err != nil {
		t.Fatal(err)
	}

	s, err := scenario.Load(file, o)
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// In virtual time the same seed gives the same files to the octet, whatever else the machine does; another seed gives others. The money
// adds up: what is lost is what was not reported.
func TestTheSameAgain(t *testing.T) {
	s := load(t, small, scenario.Options{})

	var folders []string
	for i, parallel := range []int{1, 2, 1} {
		folder := scratch.Dir(t)
		folders = append(folders, folder)

		if i == 2 {
			s.Seed++
		}

		runs, err := Run(t.Context(), s, Options{Folder: folder, Parallel: parallel, Progress: io.Discard})
		if err != nil || len(runs) != 2 {
			t.Fatalf("%d runs, %v", len(runs), err)
		}

		for _, run := range runs {
			balances(t, run)
		}
	}

	for _, point := range []string{"quota=20s,1", "quota=2m,1"} {
		for _, name := range []string{"sessions.csv", "sessions.jsonl", "run.json"} {
			var texts [][]byte
			for _, folder := range folders {
				text, err := os.ReadFile(filepath.Join(folder, "runs", point, name))
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, text)
			}

			if !bytes.Equal(texts[0], texts[1]) {
				t.Errorf("%s/%s differs although the seed is the same:\n%s", point, name, firstDifference(texts[0], texts[1]))
			}

			if bytes.Equal(texts[0], texts[2]) {
				t.Errorf("%s/%s is the same although the seed differs", point, name)
			}
		}
	}
}

func firstDifference(a, b []byte) string {
	as, bs := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i] + "\n" + bs[i]
		}
	}

	return "one is longer"
}

func balances(t *testing.T, run *results.Run) {
	t.Helper()

	f := run.Figures
	for _, name := range []string{
		results.Sessions, "refused_share", "cut_share", "failed_share", "vanished_share",
		"repeats", "topped_up", "revenue",
	} {
		if f[name] <= 0 {
			t.Errorf("%s: %s is %v", run.Point, name, f[name])
		}
	}

	// A message that was debited, and whose answers were all lost, is not sent.
	if f["leakage"] < -0.05*f["value"] || f["leakage"] > f["value"] || f["revenue"] > 4*60+f["topped_up"] {
		t.Errorf("%s: of %v that were used %v are revenue; %v were paid in", run.Point, f["value"], f["revenue"], f["topped_up"])
	}

	for _, s := range run.Series {
		if s.Balance < 0 || s.Reserved < 0 || math.IsNaN(s.Revenue) {
			t.Errorf("%s: %+v", run.Point, s)
		}
	}
}

// A run that was broken off goes on where it was; the results are those of a run in one go. Another scenario is refused its folder.
func TestGoesOn(t *testing.T) {
	s := load(t, small, scenario.Options{Set: []string{"duration=6m", "outages=[]"}})
	s.Repetitions = 2
	folder := scratch.Dir(t)

	ctx, cancel := context.WithCancel(t.Context())
	told := &watcher{word: "repetition 1:", do: cancel}

	runs, err := Run(ctx, s, Options{Folder: folder, Parallel: 1, Progress: told})
	if !errors.Is(err, context.Canceled) || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}

	var said bytes.Buffer
	runs, err = Run(t.Context(), s, Options{Folder: folder, Parallel: 1, Progress: &said})
	if err != nil || len(runs) != 4 || !strings.Contains(said.String(), "1 of 4 runs are there already") {
		t.Fatalf("%d runs, %v: %s", len(runs), err, said.String())
	}

	whole := scratch.Dir(t)
	again, err := Run(t.Context(), s, Options{Folder: whole, Parallel: 2, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}

	for i := range again {
		if a, b := again[i].Figures["revenue"], runs[i].Figures["revenue"]; a != b || again[i].Point != runs[i].Point {
			t.Errorf("%s: %v in one go, %v in two", again[i].Point, a, b)
		}
	}

	s.Seed++
	if _, err := Run(t.Context(), s, Options{Folder: folder, Progress: io.Discard}); !errors.Is(err, errAnother) {
		t.Errorf("another seed in the same folder: %v", err)
	}

	if runs, err := Run(t.Context(), s, Options{Folder: folder, Fresh: true, Progress: io.Discard}); err != nil || len(runs) != 4 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}

// watcher does something when it reads a word.
type watcher struct {
	word string
	do   func()
}

func (w *watcher) Write(text []byte) (int, error) {
	if strings.Contains(string(text), w.word) {
		w.do()
	}

	return len(text), nil
}

// In real time the same client talks to an OCS with its own clock, which is killed and comes back.
func TestRealTime(t *testing.T) {
	s := load(t, small, scenario.Options{Set: []string{
		"time=real", "duration=4s", "sweep={}", "tx=1s", "network.delay={distribution: constant, mean: 2ms}",
		"outages=[{at: 1s, for: 500ms, kind: kill}]", "population.families.services.call.arrivals.per_day=40000",
		"population.families.services.call.holding.mean=1s", "population.families.services.call.ringing={distribution: constant, mean: 0}",
		"population.families.top_up.after.mean=200ms",
	}})

	runs, err := Run(t.Context(), s, Options{Folder: scratch.Dir(t), Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}

	f := runs[0].Figures
	if f[results.Sessions] < 5 || f["completed"] == 0 || f["revenue"] <= 0 || f["latency_p50_ms"] < 4 {
		t.Errorf("%v", f)
	}
}

const midnight = `
name: midnight
start: 2026-03-02T23:40:00Z
duration: 40m
sweep: {population.all.tariff: [flat, night]}
network: {delay: {distribution: exponential, mean: 50ms}}
ocs: {credit: {quota: 5m}}
tariffs:
  flat: {rates: [{prefix: "", price: 8, interval: 1, volume_price: 8, volume_interval: 1000}]}
  night:
    periods: {night: [{from: "00:00", to: "06:00"}]}
    rates:
      - {prefix: "", when: [night], price: 1, interval: 1, volume_price: 1, volume_interval: 1000}
      - {prefix: "", price: 15, interval: 1, volume_price: 15, volume_interval: 1000}
population:
  - name: all
    count: 12
    balance: 10000000
    services:
      - kind: call
        arrivals: {process: poisson, per_day: 96}
        ringing: {distribution: uniform, from: 1s, to: 40s}
        holding: {distribution: exponential, mean: 10m}
      - kind: data
        arrivals: {process: poisson, per_day: 48}
        holding: {distribution: exponential, mean: 10m}
        volume: {distribution: exponential, mean: 30 MB}
`

// A change of tariff with sessions up costs no request, and each is priced part by part: what the OCS debits is the price of what was used.
func TestTariffChange(t *testing.T) {
	runs, err := Run(t.Context(), load(t, midnight, scenario.Options{}), Options{Folder: scratch.Dir(t), Progress: io.Discard})
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}

	flat, night := runs[0].Figures, runs[1].Figures
	if flat["divided"] != 0 || night["divided"] < 3 || flat["requests"] != night["requests"] || flat["value"] == night["value"] {
		t.Errorf("flat: %v, night: %v", flat, night)
	}

	for _, f := range []map[string]float64{flat, night} {
		if f["leakage"] != 0 || f["revenue"] == 0 || f["used_octets"] == 0 || f["used_seconds"] == 0 {
			t.Errorf("of %v that were used %v are debited", f["value"], f["revenue"])
		}
	}
}

// What the OCS refuses ends the experiment with its words.
func TestRefusedTariff(t *testing.T) {
	s := load(t, strings.Replace(small, "interval: 60", "interval: -60", 1), scenario.Options{})

	_, err := Run(t.Context(), s, Options{Folder: scratch.Dir(t), Parallel: 1, Progress: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "tariffs.standard") {
		t.Error(err)
	}
}
