package results

import (
	"math"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
)

// Tally adds up the sessions of one run, and what is seen of the OCS meanwhile.
type Tally struct {
	start, warm, end time.Time
	sums             map[string]float64
	latency          Histogram
	series           []Sample
	observed         float64 // seconds in which samples count
}

// Sample is the state of things at one time.
type Sample struct {
	At       float64 `json:"at"` // seconds since the start
	Balance  float64 `json:"balance"`
	Reserved float64 `json:"reserved"`
	Revenue  float64 `json:"revenue"`
	Open     float64 `json:"open"` // sessions
	Requests float64 `json:"requests"`
}

// NewTally returns an empty tally of a run.
func NewTally(start time.Time, s *scenario.Scenario) *Tally {
	return &Tally{start: start, warm: start.Add(s.WarmUp), end: start.Add(s.Duration), sums: map[string]float64{}}
}

// Add adds an ended session.
func (t *Tally) Add(s *Session, begun time.Time) {
	s.Begun, s.Start, s.Counts = begun.Sub(t.start).Seconds(), stamp(begun), !begun.Before(t.warm)

	t.sums["value"] += float64(s.Value)
	t.sums["overshoot"] += float64(s.Overshoot)

	if !s.Counts {
		return
	}

	t.sums["sessions"]++
	t.sums[string(s.Outcome)]++
	t.sums["requests"] += float64(s.Requests)
	t.sums["repeats"] += float64(s.Repeats)
	t.sums["divided"] += float64(s.Divided)
	t.sums["idle"] += s.Idle
	t.sums["open"] += s.Open
	t.sums["stalled"] += s.Stalled
	t.sums["used_"+s.Kind] += float64(s.Used)
	t.sums["wanted_"+s.Kind] += float64(s.Wanted)
	t.sums["overshoot_"+s.Kind] += float64(s.Overshoot)

	if s.Kind != scenario.Message && s.Outcome != Refused {
		t.sums["controlled"]++ // sessions with credit control
	}
}

// Answered adds the time that an answer took.
func (t *Tally) Answered(at time.Time, took time.Duration) {
	if !at.Before(t.warm) {
		t.latency.Add(took)
	}
}

// Observe adds a sample. What is reserved is a mean over time; a sample stands for the time since the one before.
func (t *Tally) Observe(at time.Time, s Sample) {
	s.At = at.Sub(t.start).Seconds()

	if n := len(t.series); n > 0 && !at.Before(t.warm) && !at.After(t.end) {
		span := s.At - max(t.series[n-1].At, t.warm.Sub(t.start).Seconds())
		t.sums["reserved_seconds"] += span * s.Reserved
		t.observed += span
		t.sums["reserved_most"] = max(t.sums["reserved_most"], s.Reserved)
	}

	t.series = append(t.series, s)
}

// Final returns the figures of the run. The money is that of the whole run: revenue is what the OCS debited, and uncollected what it says
// that nobody could pay.
func (t *Tally) Final(revenue, uncollected, toppedUp float64) map[string]float64 {
	share := func(part, whole float64) float64 {
		if whole == 0 {
			return 0
		}

		return 100 * part / whole
	}
	ratio := func(part, whole float64) float64 {
		if whole == 0 {
			return 0
		}

		return part / whole
	}
	sum := t.sums

	figures := map[string]float64{
		Sessions:               sum["sessions"],
		requests:               sum["requests"],
		"requests_per_session": ratio(sum["requests"], sum["sessions"]),
		"requests_per_second":  ratio(sum["requests"], t.end.Sub(t.warm).Seconds()),
		"repeats":              sum["repeats"],
		"divided":              sum["divided"],
		"completed":            sum[string(Completed)],
		"unanswered":           sum[string(Unanswered)],
		"refused_share":        share(sum[string(Refused)], sum["sessions"]),
		"cut_share":            share(sum[string(Cut)], sum["sessions"]),
		"failed_share":         share(sum[string(Failed)], sum["sessions"]),
		"vanished_share":       share(sum[string(Vanished)], sum["sessions"]),
		"idle_units":           ratio(sum["idle"], sum["open"]),
		"reserved_mean":        ratio(sum["reserved_seconds"], t.observed),
		"reserved_most":        sum["reserved_most"],
		"used_seconds":         sum["used_"+scenario.Call],
		"used_octets":          sum["used_"+scenario.Data],
		"used_messages":        sum["used_"+scenario.Message],
		"overshoot_seconds":    sum["overshoot_"+scenario.Call],
		"overshoot_share":      share(sum["overshoot_"+scenario.Call], sum["used_"+scenario.Call]),
		"overshoot_octets":     sum["overshoot_"+scenario.Data],
		"stalled_seconds":      sum["stalled"],
		"value":                sum["value"],
		"revenue":              revenue,
		"leakage":              sum["value"] - revenue,
		"leakage_share":        share(sum["value"]-revenue, sum["value"]),
		"uncollected":          uncollected,
		"topped_up":            toppedUp,
		"latency_mean_ms":      t.latency.mean(),
		"latency_p50_ms":       t.latency.quantile(0.50),
		"latency_p95_ms":       t.latency.quantile(0.95),
		"latency_p99_ms":       t.latency.quantile(0.99),
		"served_share":         share(sum["used_"+scenario.Call], sum["wanted_"+scenario.Call]),
	}

	for name, value := range figures {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			figures[name] = 0
		}
	}

	return figures
}

// Latency returns the histogram of the times that answers took.
func (t *Tally) Latency() Histogram { return t.latency }

// Series returns the samples.
func (t *Tally) Series() []Sample { return t.series }
