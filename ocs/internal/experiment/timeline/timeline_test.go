package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/clock"
)

var _ clock.Clock = (*Timeline)(nil)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func never() bool { return false }

// Events come in the order of their times, those of one time in the order in which they were planned, and a cancelled one does not come.
func TestOrder(t *testing.T) {
	line := Virtual(start, time.Second)

	var seen []string
	note := func(text string) func() {
		return func() { seen = append(seen, fmt.Sprint(text, " ", line.Now().Sub(start))) }
	}

	line.After(2*time.Hour, note("c"))
	line.At(start.Add(time.Hour), note("a"))
	line.At(start.Add(time.Hour), note("b"))
	cancelled := line.After(time.Minute, note("never"))
	line.Cancel(cancelled)
	line.Cancel(cancelled)
	line.Cancel(nil)
	line.After(3*time.Hour, func() { line.At(start, note("at once")) })
	line.After(31*24*time.Hour, note("too late"))

	if err := line.Run(t.Context(), start.Add(24*time.Hour), never); err != nil {
		t.Fatal(err)
	}

	want := "a 1h0m0s, b 1h0m0s, c 2h0m0s, at once 3h0m0s"
	if got := strings.Join(seen, ", "); got != want || !line.Now().Equal(start.Add(24*time.Hour)) {
		t.Errorf("%s at %s, want %s", got, line.Now(), want)
	}
}

// What is done regularly comes before events of the same time, is done no more often than the grain, and ends with its context.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := Virtual(start.Add(300*time.Millisecond), 2*time.Second)
		ctx, cancel := context.WithCancel(t.Context())

		var seen []string
		go line.Every(ctx, time.Minute, func(now time.Time) { seen = append(seen, "minute") })
		go line.Every(ctx, time.Second, func(now time.Time) { seen = append(seen, now.Sub(start).String()) })
		synctest.Wait()

		if line.Regular() != 2 {
			t.Error(line.Regular())
		}

		line.At(start.Add(4*time.Second), func() { seen = append(seen, "event"); cancel() })

		if err := line.Run(t.Context(), start.Add(time.Hour), never); err != nil {
			t.Fatal(err)
		}

		synctest.Wait()

		if want := []string{"2s", "4s", "event"}; !slices.Equal(seen, want) || line.Regular() != 0 {
			t.Errorf("%v, want %v", seen, want)
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := Virtual(start, time.Second)
		over, gone := make(chan error, 1), make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())

		go func() { over <- line.Wait(t.Context(), time.Minute) }()
		go func() { gone <- line.Wait(ctx, 2*time.Minute) }()
		synctest.Wait()
		cancel()

		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}

		if err := line.Run(t.Context(), start.Add(time.Hour), never); err != nil {
			t.Fatal(err)
		}

		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

func TestRunEnds(t *testing.T) {
	line := Virtual(start, time.Second)
	n := 0

	var again func()
	again = func() { n++; line.After(time.Second, again) }
	again()

	if err := line.Run(t.Context(), start.Add(time.Hour), func() bool { return n == 5 }); err != nil || n != 5 {
		t.Errorf("%v, %d events", err, n)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if err := line.Run(ctx, start.Add(time.Hour), never); !errors.Is(err, context.Canceled) || n != 5 {
		t.Errorf("%v, %d events", err, n)
	}
}

// In real time an event waits for its time, and what is posted from outside comes between.
func TestReal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := Real()
		began := time.Now()

		var seen []string
		note := func(text string) {
			seen = append(seen, fmt.Sprint(text, " ", time.Since(began), " ", line.Now().Sub(began)))
		}

		line.After(2*time.Second, func() { note("planned") })
		line.After(5*time.Second, func() { note("too late") })

		go func() {
			<-time.After(time.Second)
			line.Post(func() { note("posted"); line.After(500*time.Millisecond, func() { note("of it") }) })
		}()

		if err := line.Run(t.Context(), began.Add(4*time.Second), never); err != nil {
			t.Fatal(err)
		}

		want := "posted 1s 1s, of it 1.5s 1.5s, planned 2s 2s"
		if got := strings.Join(seen, ", "); got != want || time.Since(began) != 4*time.Second {
			t.Errorf("%s in %s, want %s", got, time.Since(began), want)
		}
	})
}
