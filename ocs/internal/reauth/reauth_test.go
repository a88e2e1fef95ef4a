package reauth

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

// absent is a network function that answers only after this many requests.
type absent struct {
	asked chan int
	times int
	after int
}

func (a *absent) ReAuth(context.Context, *ro.RAR) (*ro.RAA, error) {
	a.times++
	defer func() { a.asked <- a.times }()

	if a.times < a.after {
		return nil, diameter.ErrTimeout
	}

	answer := &ro.RAA{}
	answer.Result = ro.LimitedSuccess

	return answer, nil
}

func (a *absent) Abort(context.Context, *ro.ASR) (*ro.ASA, error) {
	return nil, diameter.ErrUnroutable
}

func asker(t *testing.T, c Config, n Network) (*Asker, *prometheus.Registry) {
	t.Helper()

	store, err := ledger.Open(filepath.Join(scratch.Dir(t), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })

	for _, s := range []credit.Session{
		{ID: "nf;1", Account: "alice", ClientHost: "nf", Services: []*credit.Quota{{Final: true}}},
		{ID: "nf;2", Account: "alice", ClientHost: "nf", Exhausted: true},
		{ID: "nf;3", Account: "alice", ClientHost: "nf", Services: []*credit.Quota{{Granted: 60}}},
		{ID: "old;1", Account: "alice", Services: []*credit.Quota{{Final: true}}},
		{ID: "nf;4", Account: "bob", ClientHost: "nf", Services: []*credit.Quota{{Final: true}}},
	} {
		if err := store.Update(t.Context(), func(tx ledger.Tx) error { return tx.Create(&s).Error }); err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewRegistry()

	return New(c, Options{
		Network: n, Store: store, Supervision: time.Minute, Log: slog.New(slog.DiscardHandler), Metrics: registry,
	}), registry
}

func TestWhoIsAsked(t *testing.T) {
	a, _ := asker(t, DefaultConfig(), &absent{})

	for which, want := range map[Which]int{Final: 2, All: 3} {
		ids, err := a.Sessions(t.Context(), "alice", which)
		if err != nil || len(ids) != want {
			t.Errorf("%v, %v, want %d", ids, err, want)
		}
	}
	if _, err := a.ReAuthorise(t.Context(), "old;1"); !errors.Is(err, ErrClient) {
		t.Errorf("a session of an unknown network function: %v", err)
	}
	if answer, err := a.Abort(t.Context(), "nf;1"); err != nil || answer.Outcome != Silent {
		t.Errorf("nobody is connected: %+v, %v", answer, err)
	}

	off, _ := asker(t, Config{Attempts: 1}, &absent{})
	off.Blocked(t.Context(), "alice")
	if len(off.waiting) > 0 {
		t.Error("not enabled, and yet somebody is asked")
	}
}

func TestAskedAgainUntilThereIsAnAnswer(t *testing.T) {
	for _, test := range []struct {
		name               string
		after, times       int
		silent, understood float64
	}{
		{name: "at the first time", after: 1, times: 1, understood: 1},
		{name: "at the third", after: 3, times: 3, silent: 2, understood: 1},
		{name: "never", after: 100, times: 4, silent: 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := &absent{asked: make(chan int, 100), after: test.after}
			a, _ := asker(t, Config{Enabled: true, Attempts: 4, Wait: time.Millisecond}, n)

			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- a.Run(ctx) }()

			a.ToppedUp(ctx, "bob")
			for range test.times {
				<-n.asked
			}
			for a.counted(Silent) != test.silent || a.counted(Asked) != test.understood { // counted after the answer
				<-time.After(time.Millisecond)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if n.times != test.times {
				t.Errorf("asked %d times, want %d", n.times, test.times)
			}
		})
	}
}

func (a *Asker) counted(o Outcome) float64 {
	return testutil.ToFloat64(a.outcomes.WithLabelValues("RAR", string(o)))
}

func TestTheQueueIsBounded(t *testing.T) {
	a, _ := asker(t, DefaultConfig(), &absent{})
	for range maxWaiting + 5 {
		a.queue(job{session: "nf;1"})
	}
	if got := testutil.ToFloat64(a.outcomes.WithLabelValues("RAR", "dropped")); got != 5 || len(a.waiting) != maxWaiting {
		t.Errorf("%v dropped, %d wait", got, len(a.waiting))
	}
}
