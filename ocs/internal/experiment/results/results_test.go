package results

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
)

// The confidence interval of five runs, computed by hand: mean 12, standard deviation √2.5, 2.776 × √2.5 / √5.
func TestEstimate(t *testing.T) {
	e := estimate([]float64{10, 11, 12, 13, 14})
	if e.N != 5 || e.Mean != 12 || math.Abs(e.Half-2.776*math.Sqrt(2.5)/math.Sqrt(5)) > 1e-9 {
		t.Errorf("%+v", e)
	}

	if e := estimate([]float64{3}); e.Half != 0 || e.N != 1 {
		t.Errorf("one run: %+v", e)
	}

	for freedom, want := range map[int]float64{1: 12.706, 4: 2.776, 30: 2.042, 40: 2.021, 100: 1.984, 1000: 1.962} {
		if got := student(freedom); math.Abs(got-want) > 0.003 {
			t.Errorf("%d degrees of freedom: %.3f, want %.3f", freedom, got, want)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	for ms := 1; ms <= 1000; ms++ {
		h.Add(time.Duration(ms) * time.Millisecond)
	}

	for q, want := range map[float64]float64{0.5: 500, 0.95: 950, 0.99: 990} {
		if got := h.quantile(q); got < want || got > want*1.13 { // a class is 12 % wide
			t.Errorf("quantile %v: %.1f ms, want about %.0f", q, got, want)
		}
	}

	if math.Abs(h.mean()-500.5) > 1e-9 || h.N != 1000 {
		t.Errorf("mean %v of %d", h.mean(), h.N)
	}

	h.Add(0)
	h.Add(1000 * time.Hour)

	if h.Counts[0] != 1 || h.Counts[classes-1] != 1 {
		t.Error("what is beyond all classes is not counted")
	}
}

func TestTally(t *testing.T) {
	begun := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	s := scenario.Default()
	s.Duration, s.WarmUp = 1000*time.Second, 200*time.Second
	tally := NewTally(begun, s)

	add := func(at int, r Session) { tally.Add(&r, begun.Add(time.Duration(at)*time.Second)) }
	add(100, Session{Kind: scenario.Call, Used: 50, Wanted: 50, Value: 50, Requests: 9, Outcome: Completed}) // before the warm-up is over
	add(300, Session{
		Kind: scenario.Call, Used: 60, Wanted: 60, Value: 60, Requests: 3, Outcome: Completed, Open: 60, Idle: 1200, Overshoot: 6,
	})
	add(400, Session{Kind: scenario.Call, Used: 40, Wanted: 100, Value: 40, Requests: 4, Repeats: 1, Outcome: Cut, Open: 40, Idle: 200})
	add(500, Session{Kind: scenario.Call, Wanted: 90, Requests: 1, Outcome: Refused})
	add(600, Session{Kind: scenario.Message, Used: 1, Wanted: 1, Value: 10, Requests: 1, Outcome: Completed})

	for at, reserved := range map[int]float64{0: 0} {
		tally.Observe(begun.Add(time.Duration(at)*time.Second), Sample{Reserved: reserved})
	}
	tally.Observe(begun.Add(400*time.Second), Sample{Reserved: 10}) // 200 s of it count
	tally.Observe(begun.Add(1000*time.Second), Sample{Reserved: 30})
	tally.Answered(begun, time.Hour) // too early

	got := tally.Final(150, 5, 0)
	for name, want := range map[string]float64{
		Sessions: 4, requests: 9, "requests_per_session": 2.25, "requests_per_second": 9.0 / 800, "repeats": 1, "completed": 2,
		"refused_share": 25, "cut_share": 25, "idle_units": 14, "reserved_mean": (200*10 + 600*30) / 800.0, "reserved_most": 30,
		"used_seconds": 100, "overshoot_share": 6, "served_share": 40, "value": 160, "leakage": 10, "leakage_share": 6.25,
		"uncollected": 5, "latency_mean_ms": 0,
	} {
		if math.Abs(got[name]-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}

	named := map[string]bool{}
	for _, f := range Figures {
		named[f.Name] = true
		if _, found := got[f.Name]; !found {
			t.Errorf("%s is listed, and never computed", f.Name)
		}
	}

	for name := range got {
		if !named[name] {
			t.Errorf("%s is computed, and not listed", name)
		}
	}
}

// Sessions stand in both forms with the same content, and a run that was saved is there again.
func TestFiles(t *testing.T) {
	folder := t.TempDir()

	w, err := NewWriter(folder, []string{scenario.CSV, scenario.JSON})
	if err != nil {
		t.Fatal(err)
	}

	charged := int64(61)
	sessions := []Session{{ID: "a;1", Kind: "call", Used: 61, Charged: &charged, Idle: 1.0005, Outcome: Cut}, {ID: "a;2", Outcome: Refused}}
	for _, s := range sessions {
		if err := w.Write(&s); err != nil {
			t.Fatal(err)
		}
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	file, err := os.Open(filepath.Join(folder, "sessions.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != "a;1" || rows[1][20] != "61" || rows[2][20] != "" || rows[1][21] != "cut" {
		t.Errorf("%v, %v", rows, err)
	}

	lines, err := os.ReadFile(filepath.Join(folder, "sessions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}

	var s Session
	first, _, _ := strings.Cut(string(lines), "\n")
	if err := json.Unmarshal([]byte(first), &s); err != nil || s.Used != 61 || *s.Charged != 61 {
		t.Errorf("%s: %v", first, err)
	}

	if r, err := Load(folder); r != nil || err != nil {
		t.Errorf("there is no run yet: %v, %v", r, err)
	}

	run := &Run{Point: "quota=10s", Values: []string{"10s"}, Figures: map[string]float64{Sessions: 3}}
	if err := run.Save(folder); err != nil {
		t.Fatal(err)
	}

	if r, err := Load(folder); err != nil || r.Point != run.Point || r.Figures[Sessions] != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSummary(t *testing.T) {
	var runs []*Run
	for i, value := range []float64{2, 4, 10} {
		point := []string{"10s", "10s", "30s"}[i]
		runs = append(runs, &Run{Point: "quota=" + point, Values: []string{point}, Figures: map[string]float64{Sessions: value}})
	}

	points := Summarise(runs)
	if len(points) != 2 || points[0].Estimates[Sessions].Mean != 3 || points[0].Estimates[Sessions].N != 2 ||
		points[1].Estimates[Sessions].N != 1 {
		t.Fatalf("%+v", points)
	}

	folder := t.TempDir()
	if err := SaveSummary(folder, []string{"quota"}, points); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(filepath.Join(folder, "summary.csv"))
	if err != nil ||
		!strings.HasPrefix(string(text), "quota,figure,unit,mean,confidence_low,confidence_high,repetitions\n10s,sessions,,3,") ||
		!strings.Contains(string(text), "\n30s,sessions,,10,,,1\n") {
		t.Errorf("%s, %v", text, err)
	}
}
