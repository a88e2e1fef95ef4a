package clock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()

		var at []time.Duration
		System{}.Every(ctx, time.Second, func(now time.Time) { at = append(at, now.Sub(began)) })

		if len(at) != 3 || at[0] != time.Second || at[2] != 3*time.Second || time.Since(began) != 3500*time.Millisecond {
			t.Errorf("called at %v, returned after %s", at, time.Since(began))
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := (System{}).Now()

		if err := (System{}).Wait(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		if err := (System{}).Wait(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 61*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
