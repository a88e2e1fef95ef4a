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
		{name: "success", result: cx.Success, want: subscriber.PushDelivered},
		{name: "the user is unknown there", result: cx.ErrorUserUnknown, want: subscriber.PushDelivered},
		{name: "the user has moved", result: diameter.Result{}, err: errOutdated, want: subscriber.PushDelivered},
		{name: "refused", result: cx.ErrorNotSupportedUserData, want: subscriber.PushRefused},
		{name: "no answer", result: diameter.Result{}, err: lost, want: subscriber.PushPending, wait: time.Second},
		{name: "no answer again", before: 1, result: diameter.Result{}, err: lost, want: subscriber.PushPending, wait: 2 * time.Second},
		{name: "no answer for the last time", before: 2, result: diameter.Result{}, err: lost, want: subscriber.PushFailed},
		{name: "too busy", before: 1, result: diameter.TooBusy, want: subscriber.PushPending, wait: 2 * time.Second},
		{name: "transient failure", result: diameter.Result{Code: 4002}, want: subscriber.PushPending, wait: time.Second},
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
