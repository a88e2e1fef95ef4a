package client

import (
	"math"
	"time"
)

// usage counts what a session has used. It runs, and is stopped while nothing flows.
type usage struct {
	amount uint64        // in all that is wanted
	total  time.Duration // that it takes
	rate   float64       // octets per second; 0: it is seconds that count

	running bool
	since   time.Time
	before  time.Duration // used until then
}

func (u *usage) start(now time.Time) {
	if !u.running {
		u.running, u.since = true, now
	}
}

func (u *usage) stop(now time.Time) {
	u.before, u.running = u.active(now), false
}

// active returns how long it has run.
func (u *usage) active(now time.Time) time.Duration {
	if !u.running {
		return u.before
	}

	return min(u.total, u.before+now.Sub(u.since))
}

// units returns what was used: seconds that have begun, or octets.
func (u *usage) units(now time.Time) uint64 {
	active := u.active(now)

	switch {
	case active >= u.total:
		return u.amount
	case u.rate == 0:
		return uint64((active + time.Second - 1) / time.Second)
	default:
		return min(u.amount, uint64(active.Seconds()*u.rate))
	}
}

// until returns how long it has yet to run until so many units are used.
func (u *usage) until(now time.Time, units uint64) time.Duration {
	const longest = 1 << 62

	seconds := float64(units)
	if u.rate > 0 {
		seconds = float64(units)/u.rate + 1e-6 // so that the last of them is certainly counted
	}

	if seconds > float64(math.MaxInt64)/2/float64(time.Second) {
		return longest
	}

	return time.Duration(seconds*float64(time.Second)) - u.active(now)
}
