package charging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// ocs answers from a list, and records its requests.
type ocs struct {
	mu      sync.Mutex
	answers []any // uint32: seconds granted; final: the last ones; diameter.Result; error
	asked   []string
}

type final uint32

func (o *ocs) CreditControl(_ context.Context, q *ro.CCR) (*ro.CCA, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	used := "-"
	for _, service := range q.MultipleServicesCreditControl {
		for _, u := range service.Used {
			used = fmt.Sprint(*u.Time)
		}
	}
	o.asked = append(o.asked, fmt.Sprintf("%d#%d used %s", q.Type, q.Number, used))

	a := &ro.CCA{}
	a.Result = ro.Success
	if q.Type == ro.Terminate || len(o.answers) == 0 {
		return a, nil
	}

	next := o.answers[0]
	o.answers = o.answers[1:]
	switch next := next.(type) {
	case error:
		if result, ok := errors.AsType[diameter.Result](next); ok {
			a.Result = result
			return a, nil
		}
		return nil, next
	case final:
		seconds := uint32(next)
		a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{
			{Granted: &ro.ServiceUnit{Time: &seconds}, FinalUnitIndication: &ro.FinalUnitIndication{}},
		}
	case uint32:
		a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &next}}}
	}

	return a, nil
}

var errDead = errors.New("dead")

func TestSession(t *testing.T) {
	tests := []struct {
		name     string
		handling FailureHandling
		answers  []any
		talk     time.Duration // until the caller hangs up
		refused  int
		released time.Duration // when the S-CSCF ends the call; 0: it does not
		asked    string
	}{
		{
			name:    "RFC 8506 §5: granted 600 s, updated at 500 s with 300 more, ended at 700 s",
			answers: []any{uint32(600), uint32(300)},
			talk:    700*time.Second - time.Millisecond,
			// 300 s granted at 500 s: the next update would be at 700 s, just when the call has ended by itself.
			asked: "1#0 used -, 2#1 used 500, 3#2 used 200",
		},
		{
			name:    "a part of a second is charged as one",
			answers: []any{uint32(600)},
			talk:    1500 * time.Millisecond,
			asked:   "1#0 used -, 3#1 used 2",
		},
		{
			name:     "§5.6 the last quota is used to its end, and no further",
			answers:  []any{final(120)},
			talk:     time.Hour,
			released: 120 * time.Second,
			asked:    "1#0 used -, 3#1 used 120",
		},
		{
			name:     "§9 an update refused: released then",
			answers:  []any{uint32(600), ro.CreditLimitReached},
			talk:     time.Hour,
			released: 500 * time.Second,
			asked:    "1#0 used -, 2#1 used 500, 3#2 used 0",
		},
		{name: "§9 no credit: 402", answers: []any{ro.CreditLimitReached}, refused: 402, asked: "1#0 used -"},
		{name: "§9 no account: 402", answers: []any{ro.UserUnknown}, refused: 402, asked: "1#0 used -"},
		{name: "§5.7 no answer, terminate: 503", answers: []any{errDead}, refused: 503, asked: "1#0 used -"},
		{
			name:     "§5.7 no answer, retry: once more",
			handling: RetryAndTerminate,
			answers:  []any{errDead, uint32(600)},
			talk:     time.Second,
			asked:    "1#0 used -, 1#0 used -, 3#1 used 1",
		},
		{
			name:     "§5.7 no answer, continue: free",
			handling: Continue,
			answers:  []any{errDead},
			talk:     time.Hour,
			asked:    "1#0 used -, 3#1 used 3600",
		},
		{
			name:     "§5.7 the OCS dies within the call, terminate",
			answers:  []any{uint32(600), errDead},
			talk:     time.Hour,
			released: 500 * time.Second,
			asked:    "1#0 used -, 2#1 used 500, 2#1 used 500, 3#2 used 0",
		},
		{name: "never answered: nothing is used", answers: []any{uint32(600)}, talk: -1, asked: "1#0 used -, 3#1 used 0"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &ocs{answers: test.answers}
				if test.handling == "" {
					test.handling = Terminate
				}
				trigger := New(
					Config{
						Enabled:          true,
						ServiceContextID: ro.ServiceContextIMS,
						UpdateMargin:     100 * time.Second,
						FailureHandling:  test.handling,
						Realm:            "r",
					},
					Options{
						OCS: server, NewSessionID: func() string { return "s;1" }, Log: slog.New(slog.DiscardHandler),
						Metrics: prometheus.NewRegistry(),
					},
				)

				began := time.Now()
				released := make(chan time.Duration, 1)

				var s *Session
				s, refused := trigger.Begin(t.Context(), Call{}, func(_ string, cause Cause) {
					released <- time.Since(began)
					s.End(Normal)
				})

				switch {
				case refused != nil:
					if refused.Status != test.refused {
						t.Errorf("refused with %d, want %d", refused.Status, test.refused)
					}
				case test.talk < 0:
					s.End(Normal)
				default:
					s.Answered(began)
					select {
					case at := <-released:
						if at != test.released {
							t.Errorf("released after %s, want %s", at, test.released)
						}
					case <-time.After(test.talk):
						if test.released != 0 {
							t.Error("was not released")
						}
						s.End(Normal)
					}
				}

				synctest.Wait()
				server.mu.Lock()
				defer server.mu.Unlock()
				if got := strings.Join(server.asked, ", "); got != test.asked {
					t.Errorf("asked  %s\nwanted %s", got, test.asked)
				}
			})
		})
	}
}
