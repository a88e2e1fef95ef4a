package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/timeline"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/traffic"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// bench is a network function before an OCS that the test plays.
type bench struct {
	*Client
	line     *timeline.Timeline
	link     *Link
	said     []string // requests, as the OCS saw them
	rows     []results.Session
	parts    []rating.Part // of the last session, as they are priced
	noCredit bool
	scenario *scenario.Scenario
	ocs      func(q *ro.CCR) (*ro.CCA, error)
}

func newBench(t *testing.T, change func(s *scenario.Scenario)) *bench {
	t.Helper()

	b := &bench{scenario: scenario.Default(), line: timeline.Virtual(start, time.Second), ocs: granting(60)}
	b.scenario.Client.Margin = 5 * time.Second
	if change != nil {
		change(b.scenario)
	}

	b.link = NewLink(t.Context(), LinkOptions{
		Timeline: b.line, Scenario: b.scenario, Random: traffic.Stream(1, "network"),
		Wire: func(_ context.Context, q *ro.CCR) (*ro.CCA, error) {
			b.said = append(b.said, fmt.Sprint(b.line.Now().Sub(start), " ", text(q)))
			return b.ocs(q)
		},
	})
	b.Client = New(Options{
		Timeline: b.line, Policy: &b.scenario.Client, Link: b.link,
		Price: func(_ *Wanted, _ time.Time, used []rating.Part) (units int64) {
			b.parts = used
			for _, part := range used {
				units += int64(part.Units)
			}

			return units
		},
		Ended: func(s *results.Session, _ time.Time, noCredit bool) {
			b.rows = append(b.rows, *s)
			b.noCredit = noCredit
		},
		Answered: func(time.Duration) {},
	})

	return b
}

// text is a request in short: "U1 used 55 THRESHOLD".
func text(q *ro.CCR) string {
	s := fmt.Sprint(map[ro.RequestType]string{ro.Initial: "I", ro.Update: "U", ro.Terminate: "T", ro.Event: "E"}[q.Type], q.Number)

	for _, service := range q.MultipleServicesCreditControl {
		for _, used := range service.Used {
			if used.TariffChangeUsage != nil {
				s += []string{" before", " after"}[*used.TariffChangeUsage]
			}
			if used.Time != nil {
				s += fmt.Sprint(" ", *used.Time)
			}
			if used.TotalOctets != nil {
				s += fmt.Sprint(" ", *used.TotalOctets)
			}
		}
	}

	return s
}

func granting(seconds uint32) func(*ro.CCR) (*ro.CCA, error) {
	return func(q *ro.CCR) (*ro.CCA, error) {
		a := answer(ro.Success.Code)
		if q.Type != ro.Terminate {
			a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &seconds}}}
		}

		return a, nil
	}
}

func answer(code uint32) *ro.CCA {
	a := &ro.CCA{}
	a.Result.Code = code

	return a
}

func (b *bench) call(seconds int, change func(w *Wanted)) {
	w := Wanted{
		ID: "s;1", Kind: scenario.Call, Account: "a", Number: "+1", Called: "+2", RatingGroup: 100, Amount: uint64(seconds),
		Lasts: time.Duration(seconds) * time.Second, Answered: true,
	}
	if change != nil {
		change(&w)
	}

	b.Begin(w)
}

// run runs a day, and compares what was said and what came of it.
func (b *bench) run(t *testing.T, said string, outcome results.Outcome, check func(r *results.Session) bool) {
	t.Helper()

	if err := b.line.Run(t.Context(), start.Add(24*time.Hour), func() bool { return false }); err != nil {
		t.Fatal(err)
	}

	if got := strings.Join(b.said, ", "); got != said {
		t.Errorf("the OCS saw %s\nwant         %s", got, said)
	}

	if len(b.rows) != 1 || b.Open() != 0 {
		t.Fatalf("%d sessions have ended, %d are open", len(b.rows), b.Open())
	}

	if r := b.rows[0]; r.Outcome != outcome || !check(&r) {
		t.Errorf("%+v, want %s", r, outcome)
	}
}

func TestCallWithUpdates(t *testing.T) {
	b := newBench(t, nil)
	b.call(150, func(w *Wanted) { w.Ringing = 10 * time.Second })
	// The margin of 5 s: 55 s after the answer at 10 s, and 55 s after that report.
	b.run(t, "0s I0, 1m5s U1 55, 2m0s U2 55, 2m40s T3 40", results.Completed, func(r *results.Session) bool {
		// 60 s idle for 10 s, from 60 to 5 in 55 s, twice, and from 60 to 20 in 40 s
		return r.Used == 150 && r.Reported == 150 && r.Overshoot == 0 && r.Requests == 4 && r.Lasted == 160 && r.Value == 150 &&
			r.Open == 160 && r.Idle == 600+2*55*32.5+40*40
	})
}

func TestNotAnswered(t *testing.T) {
	b := newBench(t, nil)
	b.call(150, func(w *Wanted) { w.Ringing = 20 * time.Second; w.Answered = false })
	b.run(t, "0s I0, 20s T1 0", results.Unanswered, func(r *results.Session) bool { return r.Used == 0 && r.Value == 0 })
}

func TestNoMargin(t *testing.T) {
	b := newBench(t, func(s *scenario.Scenario) { s.Client.Margin = 0; s.Network.Delay = constant(1) })
	b.call(100, nil)
	// More is asked for at the end of the quota, and comes after 2 s, in which the call goes on.
	b.run(t, "1s I0, 1m3s U1 60, 1m43s T2 40", results.Completed, func(r *results.Session) bool {
		return r.Overshoot == 2 && r.Used == 100
	})
}

func constant(seconds traffic.Quantity) traffic.Distribution {
	return traffic.Distribution{Kind: "constant", Mean: seconds}
}

func TestThresholdOfTheOCS(t *testing.T) {
	b := newBench(t, nil)
	threshold := uint32(20)
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		a, err := granting(60)(q)
		if q.Type != ro.Terminate {
			a.MultipleServicesCreditControl[0].TimeQuotaThreshold = &threshold
		}
		return a, err
	}
	b.call(70, nil)
	b.run(t, "0s I0, 40s U1 40, 1m10s T2 30", results.Completed, func(r *results.Session) bool { return r.Used == 70 })
}

func TestValidity(t *testing.T) {
	b := newBench(t, nil)
	validity := uint32(30)
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		a, err := granting(600)(q)
		a.ValidityTime = &validity
		return a, err
	}
	b.call(70, nil)
	b.run(t, "0s I0, 30s U1 30, 1m0s U2 30, 1m10s T3 10", results.Completed, func(r *results.Session) bool { return r.Reported == 70 })
}

func TestFinalUnits(t *testing.T) {
	b := newBench(t, nil)
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		a, err := granting(40)(q)
		if q.Type != ro.Terminate {
			a.MultipleServicesCreditControl[0].FinalUnitIndication = &ro.FinalUnitIndication{}
		}
		return a, err
	}
	b.call(100, nil)
	b.run(t, "0s I0, 40s T1 40", results.Cut, func(r *results.Session) bool { return r.Used == 40 && b.noCredit && r.Overshoot == 0 })
}

// A top-up: the OCS asks for the session, and the call goes on.
func TestReAuthorisation(t *testing.T) {
	b := newBench(t, nil)
	final := true
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		a, err := granting(40)(q)
		if q.Type != ro.Terminate && final {
			a.MultipleServicesCreditControl[0].FinalUnitIndication = &ro.FinalUnitIndication{}
		}
		return a, err
	}
	b.line.After(30*time.Second, func() {
		final = false
		if ids := b.Ending("a"); !slices.Equal(ids, []string{"s;1"}) || !b.ReAuthorise(ids[0]) || b.ReAuthorise("s;2") {
			t.Errorf("%v", ids)
		}
	})
	b.call(80, nil)
	b.run(t, "0s I0, 30s U1 30, 1m5s U2 35, 1m20s T3 15", results.Completed, func(r *results.Session) bool { return r.Used == 80 })
}

func TestRefused(t *testing.T) {
	for code, noCredit := range map[uint32]bool{4012: true, 4010: true, 5030: false, 5031: false} {
		b := newBench(t, nil)
		b.ocs = func(*ro.CCR) (*ro.CCA, error) { return answer(code), nil }
		b.call(100, nil)
		b.run(
			t,
			"0s I0",
			results.Refused,
			func(r *results.Session) bool { return r.Result == code && b.noCredit == noCredit && r.Used == 0 },
		)
	}
}

func TestRefusedWithinTheCall(t *testing.T) {
	b := newBench(t, nil)
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		if q.Type == ro.Update {
			return answer(4012), nil
		}
		return granting(60)(q)
	}
	b.call(100, nil)
	b.run(t, "0s I0, 55s U1 55, 55s T2 0", results.Cut, func(r *results.Session) bool { return r.Used == 55 && b.noCredit })
}

// Credit control that does not apply (4011): the call goes on without.
func TestNotApplicable(t *testing.T) {
	b := newBench(t, nil)
	b.ocs = func(*ro.CCR) (*ro.CCA, error) { return answer(4011), nil }
	b.call(1000, nil)
	b.run(t, "0s I0", results.Completed, func(r *results.Session) bool { return r.Used == 1000 && r.Reported == 0 })
}

// What is used before the tariff changes and after it is told apart (RFC 8506 §8.27).
func TestTariffChange(t *testing.T) {
	b := newBench(t, nil)
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		a, err := granting(60)(q)
		if q.Type != ro.Terminate {
			a.MultipleServicesCreditControl[0].Granted.TariffTimeChange = start.Add(75 * time.Second)
		}
		return a, err
	}
	b.call(120, nil)
	b.run(
		t,
		"0s I0, 55s U1 55, 1m50s U2 before 20 after 35, 2m0s T3 10",
		results.Completed,
		func(r *results.Session) bool { return r.Used == 120 },
	)
}

func TestData(t *testing.T) {
	b := newBench(t, func(s *scenario.Scenario) { s.Client.MarginOctets = 0; s.Network.Delay = constant(1) })
	quota := uint64(10_000)
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		a := answer(ro.Success.Code)
		if q.Type != ro.Terminate {
			a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{TotalOctets: &quota}}}
		}
		return a, nil
	}
	b.Begin(Wanted{ID: "s;1", Kind: scenario.Data, Number: "+1", Amount: 25_000, Lasts: 25 * time.Second, Answered: true})
	// 1000 octets a second from 2 s on, and 2 s of waiting after each quota.
	b.run(t, "1s I0, 13.000001s U1 10000, 25.000001s U2 10000, 32s T3 5000", results.Completed, func(r *results.Session) bool {
		return r.Used == 25_000 && r.Stalled == 4 && r.Overshoot == 0
	})
}

// What was used is priced from the answer on, in seconds that run with the clock. Octets have the price of the time when they were granted,
// and those after a change that was announced the price of that time.
func TestPricedParts(t *testing.T) {
	parts := func(b *bench) (text string) {
		for _, part := range b.parts {
			text += fmt.Sprint(" ", part.Units, " at ", part.At.Sub(start))
		}

		return text
	}

	b := newBench(t, nil)
	b.call(120, func(w *Wanted) { w.Ringing = 20 * time.Second })
	b.run(t, "0s I0, 1m15s U1 55, 2m10s U2 55, 2m20s T3 10", results.Completed, func(r *results.Session) bool { return r.Value == 120 })

	if got, want := parts(b), " 120 at 20s"; got != want {
		t.Errorf("the call has%s, want%s", got, want)
	}

	b = newBench(t, func(s *scenario.Scenario) { s.Client.MarginOctets = 0 })
	quota := uint64(10_000)
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		a := answer(ro.Success.Code)
		if q.Type != ro.Terminate {
			granted := &ro.ServiceUnit{TotalOctets: &quota, TariffTimeChange: start.Add(15500 * time.Millisecond)}
			a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{Granted: granted}}
		}

		return a, nil
	}
	b.Begin(Wanted{ID: "s;1", Kind: scenario.Data, Number: "+1", Amount: 25_000, Lasts: 25 * time.Second, Answered: true})
	b.run(t, "0s I0, 10.000001s U1 10000, 20.000001s U2 before 5500 after 4500, 25s T3 5000", results.Completed,
		func(r *results.Session) bool { return r.Value == 25_000 && r.Divided == 1 })

	if got, want := parts(b), " 10000 at 0s 5500 at 10.000001s 4500 at 15.5s 5000 at 20.000001s"; got != want {
		t.Errorf("the data session has%s, want%s", got, want)
	}
}

func TestMessage(t *testing.T) {
	for code, want := range map[uint32]results.Outcome{2001: results.Completed, 4012: results.Refused} {
		b := newBench(t, nil)
		b.ocs = func(*ro.CCR) (*ro.CCA, error) { return answer(code), nil }
		b.Begin(Wanted{ID: "s;1", Kind: scenario.Message, Number: "+1", Called: "+2", Amount: 1})
		b.run(t, "0s E0", want, func(r *results.Session) bool { return (r.Used == 1) == (want == results.Completed) })
	}
}

func TestVanished(t *testing.T) {
	b := newBench(t, nil)
	b.call(100, func(w *Wanted) { w.Vanish = 20 * time.Second })
	b.run(t, "0s I0", results.Vanished, func(r *results.Session) bool { return r.Used == 20 && r.Reported == 0 && r.Idle == 20*50 })
}

func TestHangUp(t *testing.T) {
	b := newBench(t, nil)
	b.call(1000, nil)
	b.line.After(30*time.Second, b.HangUp)
	b.run(t, "0s I0, 30s T1 30", results.Unfinished, func(r *results.Session) bool { return r.Used == 30 })
}

func TestAborted(t *testing.T) {
	b := newBench(t, nil)
	b.call(1000, nil)
	b.line.After(30*time.Second, func() {
		if !b.Abort("s;1") || b.Abort("s;2") {
			t.Error("the wrong session is there")
		}
	})
	b.run(t, "0s I0, 30s T1 30", results.Cut, func(r *results.Session) bool { return r.Used == 30 })
}

// The OCS does not answer from 30 s on, for a time. The Update of 55 s is not answered before Tx of 10 s is over.
func TestFailureHandling(t *testing.T) {
	for _, test := range []struct {
		name, failure string
		silent        time.Duration
		said          string
		outcome       results.Outcome
		used          uint64
		reported      uint64
		overshoot     uint64
	}{
		{
			name:    "terminate: the call ends with Tx, and what was used is reported later",
			failure: scenario.FailureTerminate, silent: 40 * time.Second,
			said: "0s I0, 1m15s U1 55, 1m15s T2 10", outcome: results.Failed, used: 65, reported: 65, overshoot: 5,
		},
		{
			name: "terminate: what was used is not reported at all", failure: scenario.FailureTerminate, silent: time.Hour,
			said: "0s I0", outcome: results.Failed, used: 65, reported: 0, overshoot: 5,
		},
		{
			name: "retry: the OCS answers in time", failure: scenario.FailureRetry, silent: 40 * time.Second,
			said: "0s I0, 1m15s U1 55, 1m50s U2 55, 2m0s T3 10", outcome: results.Completed, used: 120, reported: 120, overshoot: 15,
		},
		{
			name: "retry: it does not", failure: scenario.FailureRetry, silent: time.Hour,
			said: "0s I0", outcome: results.Failed, used: 85, reported: 0, overshoot: 25,
		},
		{
			name: "continue: the call goes on without credit control", failure: scenario.FailureContinue, silent: time.Hour,
			said: "0s I0", outcome: results.Completed, used: 120, reported: 0, overshoot: 60,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, func(s *scenario.Scenario) { s.Client.Failure = test.failure })
			b.line.After(30*time.Second, func() { b.link.Silent = true })
			b.line.After(30*time.Second+test.silent, func() { b.link.Silent = false })
			b.call(120, nil)
			b.run(t, test.said, test.outcome, func(r *results.Session) bool {
				return r.Used == test.used && r.Reported == test.reported && r.Overshoot == test.overshoot
			})
		})
	}
}

// There is nobody at the beginning.
func TestFailureAtTheBeginning(t *testing.T) {
	for failure, want := range map[string]results.Outcome{
		scenario.FailureTerminate: results.Failed, scenario.FailureRetry: results.Failed, scenario.FailureContinue: results.Completed,
	} {
		b := newBench(t, func(s *scenario.Scenario) { s.Client.Failure = failure })
		b.link.Dead = true
		b.call(120, nil)
		b.run(t, "", want, func(r *results.Session) bool {
			return (r.Used == 120) == (want == results.Completed) && r.Reported == 0
		})
	}
}

// A temporary failure of the OCS is tried again after Tx.
func TestTemporary(t *testing.T) {
	b := newBench(t, func(s *scenario.Scenario) { s.Client.Failure = scenario.FailureRetry })
	failures := 1
	b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
		if q.Type == ro.Update && failures > 0 {
			failures--
			return answer(5012), nil
		}
		return granting(60)(q)
	}
	b.call(70, nil)
	b.run(t, "0s I0, 55s U1 55, 1m5s U1 55, 1m10s T2 15", results.Completed, func(r *results.Session) bool {
		return r.Used == 70 && r.Reported == 70 && r.Repeats == 1
	})
}

// Lost and repeated messages, and errors of the wire, end every session all the same.
func TestBadNetwork(t *testing.T) {
	for _, failure := range []string{scenario.FailureTerminate, scenario.FailureRetry, scenario.FailureContinue} {
		b := newBench(t, func(s *scenario.Scenario) {
			s.Client.Failure = failure
			s.Network = scenario.Network{Loss: 0.2, Duplication: 0.2, Delay: traffic.Distribution{Kind: "exponential", Mean: 1}}
		})
		n := 0
		b.ocs = func(q *ro.CCR) (*ro.CCA, error) {
			if n++; n%17 == 0 {
				return nil, errors.New("the wire is cut")
			}
			return granting(30)(q)
		}

		const all = 300
		for i := range all {
			b.line.After(time.Duration(i)*time.Second, func() {
				b.call(100, func(w *Wanted) { w.ID = fmt.Sprint("s;", i) })
			})
		}

		if err := b.line.Run(t.Context(), start.Add(24*time.Hour), func() bool { return false }); err != nil {
			t.Fatal(err)
		}

		if len(b.rows) != all || b.Open() != 0 {
			t.Errorf("%s: %d sessions have ended, %d are open", failure, len(b.rows), b.Open())
		}

		for _, r := range b.rows {
			if r.Reported > r.Used || r.Outcome == "" || r.Outcome == results.Completed && r.Used != 100 {
				t.Errorf("%s: %+v", failure, r)
			}
		}
	}
}
