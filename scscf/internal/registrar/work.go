package registrar

import (
	"context"
	"sync"
)

// work is what has to be done later and may wait for others: SARs after expiry, for example. There is at most one job for
// each registration or challenge that ended, so its length is bounded by theirs.
type work struct {
	mu      sync.Mutex
	jobs    []func(context.Context)
	wake    chan struct{}
	workers int
}

func newWork(workers int) *work { return &work{wake: make(chan struct{}, 1), workers: workers} }

func (w *work) add(job func(context.Context)) {
	w.mu.Lock()
	w.jobs = append(w.jobs, job)
	w.mu.Unlock()
	w.signal()
}

func (w *work) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends; what is left then is not done.
func (w *work) run(ctx context.Context) {
	var running sync.WaitGroup

	for range w.workers {
		running.Go(func() {
			for {
				if job := w.next(); job != nil {
					job(ctx)
					continue
				}

				select {
				case <-ctx.Done():
					return
				case <-w.wake:
				}
			}
		})
	}

	running.Wait()
}

// next takes a job out and wakes another worker if there is more.
func (w *work) next() func(context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if len(w.jobs) == 0 {
		w.jobs = nil
		return nil
	}

	job := w.jobs[0]
	w.jobs[0] = nil
	w.jobs = w.jobs[1:]

	if len(w.jobs) > 0 {
		w.signal()
	}

	return job
}

func (w *work) length() int {
	w.mu.Lock()
	defer w.mu.Unlock()

	return len(w.jobs)
}
