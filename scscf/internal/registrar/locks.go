package registrar

import (
	"context"
	"sync"
)

// locks serialises the procedures of each user, including their Cx requests. A lock exists only while somebody holds it or waits for it.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	free    chan struct{} // holds one token while nobody has the lock
	waiting int
}

func newLocks() *locks { return &locks{held: map[string]*lock{}} }

// lock acquires the lock of a name, or fails when ctx ends. release is nil if there is an error.
func (l *locks) lock(ctx context.Context, name string) (release func(), err error) {
	l.mu.Lock()

	k := l.held[name]
	if k == nil {
		k = &lock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.held[name] = k
	}

	k.waiting++
	l.mu.Unlock()

	select {
	case <-k.free:
		return func() { k.free <- struct{}{}; l.done(name, k) }, nil
	case <-ctx.Done():
		l.done(name, k)
		return nil, context.Cause(ctx)
	}
}

func (l *locks) done(name string, k *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if k.waiting--; k.waiting == 0 {
		delete(l.held, name)
	}
}
