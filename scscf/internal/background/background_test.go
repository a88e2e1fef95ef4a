package background

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestJobsRunWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		q := New(3)

		var running, most, done atomic.Int32
		for range 10 {
			q.Add(func(context.Context) {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
				done.Add(1)
			})
		}

		if q.Len() != 10 {
			t.Errorf("%d jobs wait for Run", q.Len())
		}

		go q.Run(ctx)
		time.Sleep(4500 * time.Millisecond)
		if most.Load() != 3 || done.Load() != 10 {
			t.Errorf("at most %d at the same time, %d done", most.Load(), done.Load())
		}

		q.Add(func(context.Context) { done.Add(1) })
		synctest.Wait()
		if done.Load() != 11 {
			t.Error("a job after a pause was not done")
		}
		cancel()
		synctest.Wait()
	})
}

func TestRunWaitsForJobsAndDropsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		q := New(1)

		var first, second atomic.Bool
		q.Add(func(ctx context.Context) { <-ctx.Done(); time.Sleep(time.Second); first.Store(true) })
		q.Add(func(context.Context) { second.Store(true) })

		ended := make(chan struct{})
		go func() { q.Run(ctx); close(ended) }()
		synctest.Wait()
		cancel()
		<-ended
		if !first.Load() || second.Load() {
			t.Errorf("first %v, second %v", first.Load(), second.Load())
		}
	})
}
