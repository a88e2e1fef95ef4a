// Package timeline runs an experiment: what is to happen, in the order of its time. In virtual time it is the clock of the OCS as well, and
// jumps from one event to the next; in real time it waits for each.
package timeline

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Timeline is a queue of events. Events are called one after the other by Run, and may add others. In virtual time, At, Every, Wait and Now
// may be called from anywhere; in real time, only Post may be called from outside of the events.
type Timeline struct {
	real  bool
	grain time.Duration // ticks of a virtual clock are at least this far apart
	posts chan func()   // of the outside, in real time

	mu       sync.Mutex
	now      time.Time
	queue    queue
	sequence uint64
	regular  int // that are called at intervals
}

// Virtual returns a timeline in virtual time. What the OCS does at intervals shorter than the grain is done once in a grain.
func Virtual(start time.Time, grain time.Duration) *Timeline {
	return &Timeline{now: start, grain: grain}
}

// Real returns a timeline that goes with the machine's clock.
func Real() *Timeline {
	return &Timeline{real: true, now: time.Now().UTC(), posts: make(chan func(), maxPosts)}
}

// maxPosts is how many answers may wait; who has more waits.
const maxPosts = 4096

// Event is something that is to happen.
type Event struct {
	at       time.Time
	rank     time.Duration // at the same time the OCS's regular events come first, those with the shorter interval before the others
	sequence uint64
	index    int // in the queue; -1: not there any more
	do       func()
}

// afterAll is the rank of events that are not regular.
const afterAll = time.Duration(1<<63 - 1)

// Now returns the time.
func (t *Timeline) Now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.now
}

// At calls do at a time, or at once if it is over.
func (t *Timeline) At(at time.Time, do func()) *Event { return t.add(at, afterAll, do) }

// After calls do when so much time is over.
func (t *Timeline) After(d time.Duration, do func()) *Event {
	return t.add(t.Now().Add(d), afterAll, do)
}

func (t *Timeline) add(at time.Time, rank time.Duration, do func()) *Event {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.sequence++
	e := &Event{at: at, rank: rank, sequence: t.sequence, do: do}
	heap.Push(&t.queue, e)

	return e
}

// Cancel takes an event from the queue, if it is still there.
func (t *Timeline) Cancel(e *Event) {
	if e == nil {
		return
	}

	t.mu.Lock()
	defer t.mu.Unlock()

	if e.index >= 0 {
		heap.Remove(&t.queue, e.index)
	}
}

// Post calls do soon: an answer has come, in real time.
func (t *Timeline) Post(do func()) { t.posts <- do }

// Every calls do at each interval, until ctx ends (clock.Clock).
func (t *Timeline) Every(ctx context.Context, interval time.Duration, do func(now time.Time)) {
	interval = max(interval, t.grain)

	t.mu.Lock()
	t.regular++
	at := t.now.Truncate(interval).Add(interval)
	t.mu.Unlock()

	var tick func()

	tick = func() {
		if ctx.Err() != nil {
			return
		}

		do(t.Now())
		t.add(t.Now().Add(interval), interval, tick)
	}
	t.add(at, interval, tick)

	<-ctx.Done()

	t.mu.Lock()
	t.regular--
	t.mu.Unlock()
}

// Regular returns how much is called at intervals.
func (t *Timeline) Regular() int {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.regular
}

// Wait returns when so much time is over, or with the error of ctx (clock.Clock).
func (t *Timeline) Wait(ctx context.Context, d time.Duration) error {
	over := make(chan struct{})
	event := t.After(d, func() { close(over) })

	select {
	case <-ctx.Done():
		t.Cancel(event)
		return ctx.Err()
	case <-over:
		return nil
	}
}

// Run calls the events until this time, until done, which is asked after each event, or until ctx ends.
func (t *Timeline) Run(ctx context.Context, until time.Time, done func() bool) error {
	for !done() {
		if err := ctx.Err(); err != nil {
			return err
		}

		next, wait := t.next(until)
		if next == nil && !t.real {
			return nil
		}

		if next != nil && (!t.real || wait <= 0) {
			next.do()
			continue
		}

		if over, err := t.sleep(ctx, wait, until); over || err != nil {
			return err
		}
	}

	return nil
}

// sleep waits in real time for the next event, or for something from outside.
func (t *Timeline) sleep(ctx context.Context, wait time.Duration, until time.Time) (over bool, err error) {
	timer := time.NewTimer(max(0, wait))
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case do := <-t.posts:
		t.advance()
		do()
	case <-timer.C:
		t.advance()
	}

	return !t.Now().Before(until), nil
}

func (t *Timeline) advance() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = time.Now().UTC()
}

// next takes the next event before a time, and in virtual time jumps to it. In real time the event stays in the queue while there is some
// time to wait for it.
func (t *Timeline) next(until time.Time) (e *Event, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.real {
		t.now = time.Now().UTC()
	}

	if len(t.queue) == 0 || t.queue[0].at.After(until) {
		if !t.real && t.now.Before(until) {
			t.now = until
		}

		return nil, until.Sub(t.now)
	}

	e = t.queue[0]

	if wait = e.at.Sub(t.now); t.real && wait > 0 {
		return e, wait
	}

	heap.Pop(&t.queue)

	if !t.real && e.at.After(t.now) {
		t.now = e.at
	}

	return e, 0
}
