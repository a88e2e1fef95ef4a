// Package processors gives the Go scheduler as many processors as the load needs.
//
// A function that answers a few hundred messages a second is idle nearly all of the time, and a scheduler with a processor to spare
// wakes a thread on it for each message, only to find that there is nothing left to do. That costs more than the message. With one
// processor nothing is woken, so there is one until one is not enough.
package processors

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	interval = 250 * time.Millisecond
	busy     = 0.6 // share of the processors in use above which more are needed
	patience = 8   // intervals in which half would have been enough, before the number is halved
)

// Govern sets GOMAXPROCS from the load of the process, between 1 and its initial value, until ctx ends. GOMAXPROCS in the environment takes
// precedence.
func Govern(ctx context.Context) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}

	g := governor{limit: runtime.GOMAXPROCS(0)}
	if g.processors = g.limit; g.limit == 1 {
		return
	}

	defer runtime.GOMAXPROCS(g.limit)

	ticks := time.NewTicker(interval)
	defer ticks.Stop()

	for then, before := time.Now(), used(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			sum := used()
			if n := g.next((sum - before).Seconds() / now.Sub(then).Seconds()); n != runtime.GOMAXPROCS(0) {
				runtime.GOMAXPROCS(n)
			}

			then, before = now, sum
		}
	}
}

// used returns the processor time of the process so far.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}

	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type governor struct {
	limit, processors int
	calm              int // consecutive intervals
}

// next returns the number of processors for a load in processor seconds per second.
func (g *governor) next(load float64) int {
	half := (g.processors + 1) / 2

	switch {
	case load > busy*float64(g.processors):
		g.processors, g.calm = min(2*g.processors, g.limit), 0
	case half == g.processors || load > busy*float64(half):
		g.calm = 0
	default:
		if g.calm++; g.calm == patience {
			g.processors, g.calm = half, 0
		}
	}

	return g.processors
}
