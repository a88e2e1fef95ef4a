package ledger

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A figure that is soon read is always of now; nobody waits for one that takes long, but for the first.
func TestFigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			takes, now atomic.Int64
			fails      error
			failing    atomic.Bool
		)
		broken := errors.New("the disk is gone")
		f := NewFigure(func(context.Context) (int, error) {
			time.Sleep(time.Duration(takes.Load()))
			if failing.Load() {
				return int(now.Add(1)), broken
			}

			return int(now.Add(1)), nil
		})
		ask := func(want int, wait time.Duration) {
			t.Helper()

			began := time.Now()
			got, err := f.Value(t.Context())
			if !errors.Is(err, fails) || got != want || time.Since(began) != wait {
				t.Errorf("%d after %v, %v; want %d after %v", got, time.Since(began), err, want, wait)
			}
		}

		takes.Store(int64(time.Millisecond))
		ask(1, time.Millisecond)
		ask(2, time.Millisecond)

		takes.Store(int64(time.Second))
		ask(2, soon) // it is read meanwhile
		ask(2, soon)
		time.Sleep(time.Second)
		synctest.Wait()
		ask(3, 0)
		time.Sleep(rest*time.Second - time.Second)
		ask(3, 0)
		time.Sleep(2 * time.Second)
		ask(3, soon)
		failing.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		fails = broken
		ask(4, 0)
	})
}

// The first reading is waited for, as long as who asks has time.
func TestFirstFigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFigure(func(ctx context.Context) (int, error) {
			time.Sleep(10 * time.Second)
			return 7, ctx.Err()
		})
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Value(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v: a number that is not known", err)
		}
		if n, err := f.Value(t.Context()); n != 7 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
