// Package clock is the time that the OCS lives by: the machine's, or that of an experiment, which may let a month pass in minutes. All that
// the OCS does at a time, or writes down with one, goes by it. How long the OCS waits for the network, a database or a reader does not.
package clock

import (
	"context"
	"time"
)

// Clock tells the time, and does things at their time.
type Clock interface {
	Now() time.Time
	// Every calls do at each interval, until ctx ends. A call that takes longer than the interval delays the next.
	Every(ctx context.Context, interval time.Duration, do func(now time.Time))
	// Wait returns when so much time is over, or with the error of ctx.
	Wait(ctx context.Context, d time.Duration) error
}

// System is the machine's clock.
type System struct{}

// Now returns the time.
func (System) Now() time.Time { return time.Now() }

// Every calls do at each interval, until ctx ends.
func (System) Every(ctx context.Context, interval time.Duration, do func(now time.Time)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do(time.Now())
		}
	}
}

// Wait returns when so much time is over, or with the error of ctx.
func (System) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
