package charging

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// clerk is an OCS that records when a request came, and the time of what it reports.
type clerk struct {
	away  func(since time.Duration) bool // takes requests, and does not answer
	began time.Time

	mu    sync.Mutex
	lines []string
}

func (o *clerk) CreditControl(_ context.Context, q *ro.CCR) (*ro.CCA, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	since := time.Since(o.began)
	o.lines = append(o.lines, fmt.Sprintf("%d#%d %s of %s", q.Type, q.Number, since, q.EventTimestamp.Sub(o.began).Round(time.Second)))

	if o.away(since) {
		return nil, errDead
	}

	seconds := uint32(60)
	a := &ro.CCA{MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &seconds}}}}
	a.Result = ro.Success

	return a, nil
}

// TestEventTimestamp: a request that is sent late, or again, has the time of what it reports (RFC 6733 §8.21), also over a restart.
func TestEventTimestamp(t *testing.T) {
	type bed struct {
		*testing.T
		trigger *Trigger
		restart func() *Trigger
	}
	begin := func(b bed) *Session {
		s, refused := b.trigger.Begin(b.Context(), Call{}, nil)
		if refused != nil {
			b.Fatal(refused)
		}
		s.Answered(time.Now())

		return s
	}
	wait := func(seconds int) func(context.Context) {
		return func(context.Context) { time.Sleep(time.Duration(seconds) * time.Second) }
	}

	for name, test := range map[string]struct {
		config   Config
		from, to int // the seconds of silence
		do       func(b bed)
		want     string
	}{
		"a call is refused, and what may be reserved is given back": {
			config: Config{FailureHandling: Terminate}, to: 10,
			do:   func(b bed) { _, _ = b.trigger.Begin(b.Context(), Call{}, nil) },
			want: "1#0 0s of 0s, 3#1 30s of 0s",
		},
		"an update is said again": {
			config: Config{FailureHandling: Continue, Resume: 30 * time.Second}, from: 50, to: 80,
			do:   func(b bed) { s := begin(b); wait(100)(nil); s.End(Normal) },
			want: "1#0 0s of 0s, 2#1 1m0s of 1m0s, 2#1 1m30s of 1m0s, 3#2 1m40s of 1m40s",
		},
		"the last report is owed": {
			config: Config{FailureHandling: Terminate}, from: 5, to: 50,
			do:   func(b bed) { s := begin(b); wait(10)(nil); s.End(Normal) },
			want: "1#0 0s of 0s, 3#1 10s of 10s, 3#1 40s of 10s, 3#1 1m10s of 10s",
		},
		"the last report is owed over a restart": {
			config: Config{FailureHandling: Terminate}, from: 5, to: 50,
			do: func(b bed) {
				s := begin(b)
				wait(10)(nil)
				s.End(Normal)
				wait(10)(nil)
				b.restart().Resume(b.Context(), wait(40))
			},
			want: "1#0 0s of 0s, 3#1 10s of 10s, 3#1 1m0s of 10s",
		},
		"a call that does not come back is over when the process is": {
			config: Config{FailureHandling: Terminate},
			do:     func(b bed) { begin(b); wait(10)(nil); b.restart().Resume(b.Context(), wait(40)) },
			want:   "1#0 0s of 0s, 3#1 50s of 10s",
		},
		"a message is refused, and its charge taken back": {
			config: Config{FailureHandling: Terminate, Events: Immediate}, to: 10,
			do:   func(b bed) { _, _ = b.trigger.Event(b.Context(), Call{}) },
			want: "4#0 0s of 0s, 4#1 30s of 0s",
		},
		"a message was delivered, and its report is owed over a restart": {
			config: Config{FailureHandling: Terminate, Events: Reserved}, from: 1, to: 20,
			do: func(b bed) {
				e, _ := b.trigger.Event(b.Context(), Call{})
				wait(5)(nil)
				e.End(200, "")
				wait(5)(nil)
				b.restart().Resume(b.Context(), wait(30))
			},
			want: "1#0 0s of 0s, 3#1 5s of 5s, 3#1 40s of 5s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				second := func(n int) time.Duration { return time.Duration(n) * time.Second }
				o := &clerk{away: between(second(test.from), second(test.to)), began: time.Now()}
				test.config.Settle = time.Hour

				var trigger *Trigger
				start := func() *Trigger {
					trigger = bench(test.config, o)
					if err := trigger.Restore(directory); err != nil {
						t.Fatal(err)
					}

					return trigger
				}
				test.do(bed{t, start(), func() *Trigger {
					trigger.Close() // as good as killed: nothing is written at the end
					return start()
				}})
				time.Sleep(time.Hour)
				synctest.Wait()
				trigger.Close()

				if got := strings.Join(o.lines, ", "); got != test.want {
					t.Errorf("asked  %s\nwanted %s", got, test.want)
				}
			})
		})
	}
}
