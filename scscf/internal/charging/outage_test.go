package charging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// record is an OCS that can be away, that forgets when told to, and that counts each report once, whatever it answers.
type record struct {
	away     func(since time.Duration) bool // requests are lost
	mute     func(since time.Duration) bool // requests are taken, and not answered
	err      error                          // instead of an answer; nil: errDead
	forgets  time.Duration                  // all sessions, at this time
	grant    uint32
	validity uint32

	began   time.Time
	lines   []string
	known   map[string]time.Duration
	seen    map[string]bool
	charged uint32
	causes  []string
}

func (o *record) CreditControl(_ context.Context, q *ro.CCR) (*ro.CCA, error) {
	since := time.Since(o.began)
	line := fmt.Sprintf("%s %s#%d", since, q.SessionID, q.Number)

	if o.away != nil && o.away(since) {
		o.lines = append(o.lines, line+" lost")
		return nil, errDead
	}

	a := &ro.CCA{}
	a.Result = ro.Success

	if q.Type == ro.Initial {
		o.known[q.SessionID] = since
	}

	if at, known := o.known[q.SessionID]; !known || at < o.forgets && since >= o.forgets {
		o.lines = append(o.lines, line+" unknown")
		a.Result = ro.UnknownSessionID

		return a, nil
	}

	for _, service := range q.MultipleServicesCreditControl {
		for _, used := range service.Used {
			if key := fmt.Sprintf("%s#%d", q.SessionID, q.Number); !o.seen[key] && used.Time != nil {
				o.seen[key] = true
				o.charged += *used.Time
			}
		}
	}

	if q.Type == ro.Terminate {
		ims := q.ServiceInformation.IMS
		o.causes = append(o.causes, fmt.Sprint(*ims.CauseCode, ims.ReasonHeaders))
	}

	o.lines = append(o.lines, line)

	if o.mute != nil && o.mute(since) {
		if o.err != nil {
			return nil, o.err
		}

		return nil, errDead
	}

	a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &o.grant}}}
	if o.validity > 0 {
		a.MultipleServicesCreditControl[0].ValidityTime = &o.validity
	}

	return a, nil
}

func between(from, to time.Duration) func(time.Duration) bool {
	return func(at time.Duration) bool { return at >= from && at < to }
}

func bench(c Config, o OCS) *Trigger {
	number := 0
	c.Enabled, c.ServiceContextID, c.Realm = true, ro.ServiceContextIMS, "r"

	return New(c, Options{
		OCS: o, NewSessionID: func() string { number++; return fmt.Sprintf("s%d", number) }, Log: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(),
	})
}

// TestOutage: the cost of an OCS that is away (RFC 8506 §5.7, §8.14); no second is charged twice.
func TestOutage(t *testing.T) {
	tests := []struct {
		name    string
		config  Config
		ocs     record
		talk    time.Duration
		ends    time.Duration // released by the S-CSCF; 0: not
		charged uint32
		lines   string
	}{
		{
			name:    "continue: away at the beginning, back within the call: a CCR Initial for the rest",
			config:  Config{FailureHandling: Continue, Resume: 30 * time.Second},
			ocs:     record{away: between(0, 50*time.Second), grant: 600},
			talk:    100 * time.Second,
			charged: 40,
			lines:   "0s s1#0 lost, 30s s2#0 lost, 1m0s s3#0, 1m40s s3#1",
		},
		{
			name:    "continue: away in the middle: the open report is said again, and what went on meanwhile is charged",
			config:  Config{FailureHandling: Continue, Resume: 30 * time.Second},
			ocs:     record{away: between(50*time.Second, 100*time.Second), grant: 60},
			talk:    130 * time.Second,
			charged: 130,
			lines:   "0s s1#0, 1m0s s1#1 lost, 1m30s s1#1 lost, 2m0s s1#1, 2m0s s1#2, 2m10s s1#3",
		},
		{
			name:    "continue: the OCS took the report and the answer was lost: not charged twice",
			config:  Config{FailureHandling: Continue, Resume: 30 * time.Second},
			ocs:     record{mute: between(50*time.Second, 70*time.Second), grant: 60},
			talk:    100 * time.Second,
			charged: 100,
			lines:   "0s s1#0, 1m0s s1#1, 1m30s s1#1, 1m40s s1#2",
		},
		{
			name: "continue: back without memory: a new session for the rest", config: Config{FailureHandling: Continue, Resume: 30 * time.Second},
			ocs: record{away: between(50*time.Second, 80*time.Second), forgets: 70 * time.Second, grant: 60}, talk: 100 * time.Second, charged: 10,
			lines: "0s s1#0, 1m0s s1#1 lost, 1m30s s1#1 unknown, 1m30s s2#0, 1m40s s2#1",
		},
		{
			name: "continue without resume: free to the end", config: Config{FailureHandling: Continue},
			ocs: record{away: between(0, 50*time.Second), grant: 600}, talk: 100 * time.Second,
			lines: "0s s1#0 lost, 1m40s s1#1 unknown",
		},
		{
			name:    "terminate: the last report is repeated until the OCS is back",
			config:  Config{FailureHandling: Terminate, Settle: 10 * time.Minute},
			ocs:     record{away: between(50*time.Second, 3*time.Minute), grant: 60},
			talk:    time.Hour,
			ends:    time.Minute,
			charged: 60,
			lines:   "0s s1#0, 1m0s s1#1 lost, 1m0s s1#1 lost, 1m30s s1#1 lost, 2m0s s1#1 lost, 2m30s s1#1 lost, 3m0s s1#1, 3m0s s1#2",
		},
		{
			name:    "terminate: the answer to the last report is lost: charged once",
			config:  Config{FailureHandling: Terminate, Settle: 10 * time.Minute},
			ocs:     record{mute: between(50*time.Second, 95*time.Second), grant: 60},
			talk:    time.Hour,
			ends:    time.Minute,
			charged: 60,
			lines:   "0s s1#0, 1m0s s1#1, 1m0s s1#1, 1m30s s1#1, 2m0s s1#1, 2m0s s1#2",
		},
		{
			name: "terminate: an OCS that forgot the session ends the call", config: Config{FailureHandling: Terminate},
			ocs: record{forgets: 30 * time.Second, grant: 60}, talk: time.Hour, ends: time.Minute,
			lines: "0s s1#0, 1m0s s1#1 unknown, 1m0s s1#2 unknown",
		},
		{
			name: "§8.33 the quota is valid for less than it lasts", config: Config{FailureHandling: Terminate},
			ocs: record{grant: 600, validity: 40}, talk: 100 * time.Second, charged: 100,
			lines: "0s s1#0, 40s s1#1, 1m20s s1#2, 1m40s s1#3",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &test.ocs
				o.began, o.known, o.seen = time.Now(), map[string]time.Duration{}, map[string]bool{}
				trigger := bench(test.config, o)
				released := make(chan time.Duration, 1)

				var s *Session
				s, refused := trigger.Begin(t.Context(), Call{}, func(_ string, cause Cause) {
					released <- time.Since(o.began)
					s.End(cause)
				})
				if refused != nil {
					t.Fatal(refused)
				}

				s.Answered(o.began)
				select {
				case at := <-released:
					if at != test.ends {
						t.Errorf("released at %s, want %s", at, test.ends)
					}
				case <-time.After(test.talk):
					if test.ends != 0 {
						t.Error("was not released")
					}
					s.End(Normal)
				}

				time.Sleep(time.Hour)
				synctest.Wait()
				if got := strings.Join(o.lines, ", "); got != test.lines {
					t.Errorf("asked  %s\nwanted %s", got, test.lines)
				}
				if o.charged != test.charged {
					t.Errorf("charged %d s, want %d", o.charged, test.charged)
				}
				if len(trigger.open) != 0 {
					t.Errorf("%d sessions are left", len(trigger.open))
				}
			})
		})
	}
}

// TestReservationWithoutAnswerIsGivenBack: the OCS reserves, and its answer is lost: the call is refused, and the reservation is returned
// as soon as the OCS can be reached.
func TestReservationWithoutAnswerIsGivenBack(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"lost":       {errDead, "0s s1#0, 30s s1#1"},
		"never sent": {fmt.Errorf("no peer: %w", diameter.ErrUnroutable), "0s s1#0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &record{
					grant: 60,
					known: map[string]time.Duration{},
					seen:  map[string]bool{},
					began: time.Now(),
					mute:  between(0, 10*time.Second),
					err:   test.err,
				}
				trigger := bench(Config{FailureHandling: Terminate, Settle: time.Hour}, o)
				if _, refused := trigger.Begin(t.Context(), Call{}, nil); refused == nil || refused.Status != 503 {
					t.Fatalf("refused: %+v", refused)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := strings.Join(o.lines, ", "); got != test.want || len(trigger.open) != 0 {
					t.Errorf("asked %s, want %s; %d left", got, test.want, len(trigger.open))
				}
			})
		})
	}
}

// TestCauses: Cause-Code and Reason-Header of the last request (TS 32.299 §7.2.35).
func TestCauses(t *testing.T) {
	for want, cause := range map[string]Cause{
		"0 []":                 Normal,
		"0 [SIP;cause=200]":    Normal.Because("SIP;cause=200"),
		"1 []":                 Unspecified,
		"486 []":               Answered(486, ""),
		"-302 []":              Answered(302, ""),
		"-1 []":                Answered(200, ""),
		"-202 []":              Answered(202, ""),
		"487 [Q.850;cause=16]": Answered(487, "Q.850;cause=16"),
		"3 [" + strings.Repeat("x", maxReason) + "]": internal.Because(strings.Repeat("x", 10*maxReason)),
	} {
		o := &record{grant: 60, known: map[string]time.Duration{}, seen: map[string]bool{}, began: time.Now()}
		s, _ := bench(Config{FailureHandling: Terminate}, o).Begin(t.Context(), Call{}, nil)
		s.End(cause)
		if got := strings.Join(o.causes, ","); got != want {
			t.Errorf("%+v: got %s, want %s", cause, got, want)
		}
	}
}

// TestRestart: a restart in the middle of a call: quota supervision goes on, the last report is correct, nothing is reported twice under
// another number.
func TestRestart(t *testing.T) {
	tests := []struct {
		name    string
		killed  time.Duration
		back    time.Duration
		lines   string
		charged uint32
	}{
		{name: "while it rings: closed", killed: -1, back: 10 * time.Second, lines: "0s s1#0, 10s s1#1"},
		{name: "within a quota", killed: 30 * time.Second, back: 40 * time.Second, lines: "0s s1#0, 1m0s s1#1, 1m40s s1#2", charged: 100},
		{
			name:    "over the end of a quota",
			killed:  30 * time.Second,
			back:    80 * time.Second,
			lines:   "0s s1#0, 1m20s s1#1, 1m40s s1#2",
			charged: 100,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			directory := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				o := &record{grant: 60, known: map[string]time.Duration{}, seen: map[string]bool{}, began: time.Now()}
				ready := func(context.Context) {}
				began := time.Now()

				trigger := bench(Config{FailureHandling: Terminate}, o)
				if err := trigger.Restore(directory); err != nil {
					t.Fatal(err)
				}
				s, refused := trigger.Begin(t.Context(), Call{ICID: "icid"}, nil)
				if refused != nil {
					t.Fatal(refused)
				}
				if test.killed >= 0 {
					s.Answered(began)
					time.Sleep(test.killed)
				}
				trigger.Close() // as good as killed: nothing is written at the end

				time.Sleep(test.back - time.Since(began))
				trigger = bench(Config{FailureHandling: Terminate}, o)
				if err := trigger.Restore(directory); err != nil {
					t.Fatal(err)
				}
				s, found := trigger.Restored(s.Key(), func(string, Cause) {})
				if !found || s.state.Call.ICID != "icid" {
					t.Fatalf("the session did not come back: %+v", s)
				}
				if _, twice := trigger.Restored(s.Key(), func(string, Cause) {}); twice {
					t.Error("two calls have one session")
				}
				if test.killed < 0 {
					s.release = nil // its call is not there
				}
				trigger.Resume(t.Context(), ready)
				if test.killed >= 0 {
					time.Sleep(100*time.Second - time.Since(began))
					s.End(Normal)
				}
				synctest.Wait()

				if got := strings.Join(o.lines, ", "); got != test.lines || o.charged != test.charged {
					t.Errorf("asked  %s (%d s)\nwanted %s (%d s)", got, o.charged, test.lines, test.charged)
				}
				trigger.Close()

				trigger = bench(Config{FailureHandling: Terminate}, o)
				if err := trigger.Restore(directory); err != nil || len(trigger.open) != 0 {
					t.Errorf("left behind: %v, %v", trigger.open, err)
				}
				trigger.Close()
			})
		})
	}
}

// TestRestartWithinTheLastReport: the last report was in flight when the process was killed: it is sent again with its number.
func TestRestartWithinTheLastReport(t *testing.T) {
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := &record{
			grant: 600,
			known: map[string]time.Duration{},
			seen:  map[string]bool{},
			began: time.Now(),
			mute:  between(20*time.Second, 30*time.Second),
		}
		trigger := bench(Config{FailureHandling: Terminate, Settle: time.Hour}, o)
		if err := trigger.Restore(directory); err != nil {
			t.Fatal(err)
		}
		s, _ := trigger.Begin(t.Context(), Call{}, nil)
		s.Answered(time.Now())
		time.Sleep(25 * time.Second)
		s.End(Normal)
		trigger.Close()

		time.Sleep(10 * time.Second)
		trigger = bench(Config{FailureHandling: Terminate, Settle: time.Hour}, o)
		if err := trigger.Restore(directory); err != nil {
			t.Fatal(err)
		}
		trigger.Resume(t.Context(), func(context.Context) {})
		trigger.Close()
		if got := strings.Join(o.lines, ", "); got != "0s s1#0, 25s s1#1, 35s s1#1" || o.charged != 25 {
			t.Errorf("asked %s, charged %d", got, o.charged)
		}
	})
}

// TestOrdersOfTheOCS: a RAR makes the session ask anew (RFC 8506 §5.5), an ASR (RFC 6733 §8.5) ends the call.
func TestOrdersOfTheOCS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &record{grant: 600, known: map[string]time.Duration{}, seen: map[string]bool{}, began: time.Now()}
		trigger := bench(Config{FailureHandling: Terminate}, o)

		var s *Session
		s, _ = trigger.Begin(t.Context(), Call{}, func(_ string, cause Cause) { s.End(cause) })
		s.Answered(time.Now())
		time.Sleep(10 * time.Second)

		rar := &ro.RAR{}
		rar.SessionID = s.Key()
		if a, err := trigger.Reauthorise(t.Context(), rar); err != nil || a.Result != ro.LimitedSuccess {
			t.Errorf("RAR: %v %v", a, err)
		}
		time.Sleep(10 * time.Second)

		asr := &ro.ASR{}
		asr.SessionID = s.Key()
		if a, err := trigger.Abort(t.Context(), asr); err != nil || a.Result != ro.Success {
			t.Errorf("ASR: %v %v", a, err)
		}
		synctest.Wait()

		for _, id := range []string{s.Key(), "another"} {
			rar.SessionID, asr.SessionID = id, id
			if _, err := trigger.Reauthorise(t.Context(), rar); !errors.Is(err, ro.UnknownSessionID) {
				t.Errorf("RAR for no session: %v", err)
			}
			if _, err := trigger.Abort(t.Context(), asr); !errors.Is(err, ro.UnknownSessionID) {
				t.Errorf("ASR for no session: %v", err)
			}
		}
		if got := strings.Join(o.lines, ", "); got != "0s s1#0, 10s s1#1, 20s s1#2" || o.charged != 20 {
			t.Errorf("asked %s, charged %d", got, o.charged)
		}
	})
}
