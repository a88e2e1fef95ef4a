package runner

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
)

// progress tells how far an experiment has come: every few seconds a line.
type progress struct {
	mu      sync.Mutex
	to      io.Writer
	began   time.Time
	told    time.Time
	all     int              // runs
	kept    int              // of them, those of a run of the program before
	done    int              // and those of this one
	parts   map[*run]float64 // of the runs that are played
	sent    map[*run]uint64
	earlier uint64 // CCRs of runs that are done
}

const tellEvery = 5 * time.Second

func newProgress(to io.Writer, all int) *progress {
	return &progress{to: to, all: all, began: time.Now(), told: time.Now(), parts: map[*run]float64{}, sent: map[*run]uint64{}}
}

// at notes how far a run is.
func (p *progress) at(r *run, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.parts[r] = now.Sub(r.start).Seconds() / r.scenario.Duration.Seconds()
	p.sent[r] = r.link.Sent

	if time.Since(p.told) >= tellEvery {
		p.told = time.Now()
		p.tell()
	}
}

// tell writes a line: what is done, the rate, the time that is left.
func (p *progress) tell() {
	sent, part := p.earlier, float64(p.done)

	for r, n := range p.sent {
		sent += n
		part += p.parts[r]
	}

	passed := time.Since(p.began)
	left := "?"

	if part > 0 {
		rest := float64(p.all-p.kept) - part
		left = time.Duration(passed.Seconds() / part * rest * float64(time.Second)).Round(time.Second).String()
	}

	fmt.Fprintf(p.to, "%d of %d runs done, %.0f %% of all; %.0f CCR/s; %s left\n",
		p.kept+p.done, p.all, 100*(float64(p.kept)+part)/float64(p.all), float64(sent)/passed.Seconds(), left)
}

// finished notes that a run is done.
func (p *progress) finished(r *run, run *results.Run, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.done++
	p.earlier += r.link.Sent
	delete(p.parts, r)
	delete(p.sent, r)

	fmt.Fprintf(p.to, "%s, repetition %d: %.0f sessions, %.0f CCRs in %s (%.0f CCR/s)\n", run.Point, run.Repetition+1,
		run.Figures[results.Sessions], float64(r.link.Sent), took.Round(10*time.Millisecond), float64(r.link.Sent)/took.Seconds())
}
