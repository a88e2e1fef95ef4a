package push

import (
	"errors"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

func TestWhatComesOfAPush(t *testing.T) {
	s := &Sender{config: Config{Attempts: 3, RetryMin: time.Second, RetryMax: 3 * time.Second}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lost := errors.New("no peer is up")

	for _, test := range []struct {
		name   string
		before int
		result diameter.Result
		err    error
		want   subscriber.PushState
		wait   time.Duration
	}{
		{"success", 0, cx.Success, nil, subscriber.PushDelivered, 0},
		{"the user is unknown there", 0, cx.ErrorUserUnknown, nil, subscriber.PushDelivered, 0},
		{"the user has moved", 0, diameter.Result{}, errOutdated, subscriber.PushDelivered, 0},
		{"refused", 0, cx.ErrorNotSupportedUserData, nil, subscriber.PushRefused, 0},
		{"no answer", 0, diameter.Result{}, lost, subscriber.PushPending, time.Second},
		{"no answer again", 1, diameter.Result{}, lost, subscriber.PushPending, 2 * time.Second},
		{"no answer for the last time", 2, diameter.Result{}, lost, subscriber.PushFailed, 0},
		{"too busy", 1, diameter.TooBusy, nil, subscriber.PushPending, 2 * time.Second},
		{"transient failure", 0, diameter.Result{Code: 4002}, nil, subscriber.PushPending, time.Second},
	} {
		push := &subscriber.Push{State: subscriber.PushPending, Attempts: test.before, Next: now}
		s.conclude(push, test.result, test.err, now)

		if push.State != test.want || push.Attempts != test.before+1 || push.Next.Sub(now) != test.wait || push.Result == "" {
			t.Errorf("%s: %+v", test.name, push)
		}
		if push.State == subscriber.PushPending != push.Finished.IsZero() {
			t.Errorf("%s: %v finished at %v", test.name, push.State, push.Finished)
		}
	}
}
