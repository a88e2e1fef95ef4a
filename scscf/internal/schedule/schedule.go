// Package schedule owns all timers of long-lived state: it has one goroutine and one heap instead of a timer for each registration,
// subscription and challenge.
package schedule

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Owner is called when its entry is due, by the queue's own goroutine. It must not block; it may set or cancel entries.
type Owner interface{ Due(now time.Time) }

// Entry is one timer. It is embedded in the state that it belongs to; the zero value is not set.
type Entry struct {
	owner Owner
	at    int64 // Unix nanoseconds
	place int32 // in the heap, counted from 1; 0: not set
}

// Queue holds the entries that are set.
type Queue struct {
	wake chan struct{}

	mu      sync.Mutex
	entries entries
}

// New returns an empty queue; nothing is due before Run.
func New() *Queue { return &Queue{wake: make(chan struct{}, 1)} }

// Set makes an entry due at a time, replacing any earlier setting.
func (q *Queue) Set(e *Entry, owner Owner, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()

	e.owner, e.at = owner, at.UnixNano()

	if e.place == 0 {
		heap.Push(&q.entries, e)
	} else {
		heap.Fix(&q.entries, int(e.place-1))
	}

	if e.place == 1 {
		q.signal()
	}
}

// Cancel unsets an entry.
func (q *Queue) Cancel(e *Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()

	if e.place != 0 {
		heap.Remove(&q.entries, int(e.place-1))
	}
}

// Len returns how many entries are set.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()

	return len(q.entries)
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run calls owners when their entries are due, until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	const idle = time.Hour

	timer := time.NewTimer(idle)
	defer timer.Stop()

	for {
		wait := idle
		if next, found := q.next(); found {
			wait = time.Until(next)
		}

		timer.Reset(max(0, wait))

		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
			for owner := q.pop(time.Now()); owner != nil; owner = q.pop(time.Now()) {
				owner.Due(time.Now())
			}
		}
	}
}

func (q *Queue) next() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()

	if len(q.entries) == 0 {
		return time.Time{}, false
	}

	return time.Unix(0, q.entries[0].at), true
}

// pop removes the first entry if it is due, and returns its owner.
func (q *Queue) pop(now time.Time) Owner {
	q.mu.Lock()
	defer q.mu.Unlock()

	if len(q.entries) == 0 || q.entries[0].at > now.UnixNano() {
		return nil
	}

	return heap.Pop(&q.entries).(*Entry).owner
}

// entries is a heap by time.
type entries []*Entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].at < e[j].at }

func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = int32(i+1), int32(j+1)
}

// Push implements heap.Interface.
func (e *entries) Push(x any) {
	entry := x.(*Entry)
	*e = append(*e, entry)
	entry.place = int32(len(*e))
}

// Pop implements heap.Interface.
func (e *entries) Pop() any {
	all := *e
	last := all[len(all)-1]
	all[len(all)-1] = nil
	*e = all[:len(all)-1]
	last.place = 0

	return last
}
