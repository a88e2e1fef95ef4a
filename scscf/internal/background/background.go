// Package background runs work that nobody waits for, such as requests that follow from a timer: in order of arrival, a bounded number at
// the same time.
package background

import (
	"context"
	"sync"
)

// Queue holds jobs until one of its workers takes them. Its length is bounded by what creates jobs: each is for something that exists
// once, such as a registration.
type Queue struct {
	limit int

	mu      sync.Mutex
	ctx     context.Context // of Run; nil before
	jobs    []func(context.Context)
	workers int
	idle    sync.WaitGroup
}

// New returns a queue with at most limit workers. Jobs wait until Run.
func New(limit int) *Queue { return &Queue{limit: limit} }

// Add appends a job. The context of the job ends with Run's.
func (q *Queue) Add(job func(ctx context.Context)) {
	q.mu.Lock()
	defer q.mu.Unlock()

	q.jobs = append(q.jobs, job)
	q.hire()
}

// Run lets the workers work until ctx ends, and waits for those at work. Jobs that still wait then are not done.
func (q *Queue) Run(ctx context.Context) {
	q.mu.Lock()
	q.ctx = ctx
	for range q.jobs {
		q.hire()
	}
	q.mu.Unlock()

	<-ctx.Done()

	q.mu.Lock()
	q.jobs = nil
	q.limit = 0
	q.mu.Unlock()

	q.idle.Wait()
}

// Len returns how many jobs wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()

	return len(q.jobs)
}

// hire starts a worker if one more is allowed. It is called with the lock held.
func (q *Queue) hire() {
	if q.ctx != nil && q.workers < q.limit {
		q.workers++
		q.idle.Go(q.work)
	}
}

// work does jobs until there are none.
func (q *Queue) work() {
	for {
		q.mu.Lock()

		if len(q.jobs) == 0 {
			q.jobs = nil
			q.workers--
			q.mu.Unlock()

			return
		}

		job := q.jobs[0]
		q.jobs[0] = nil
		q.jobs = q.jobs[1:]
		q.mu.Unlock()

		job(q.ctx)
	}
}
