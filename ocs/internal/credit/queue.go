package credit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// queue is the requests that wait for their turn, first come, first served. Whoever serves takes all that wait, or as many as one
// transaction serves: what many requests have changed costs one wait for the disk.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	serving int
}

// request is one CCR that waits, or is served.
type request struct {
	q        *ro.CCR
	deadline time.Time
	done     chan struct{}

	answer *Answer
	err    error
	w      *exchange // nil: none of its own was needed
	again  bool      // answered as before
}

const (
	// together is the most requests of one transaction.
	together = 256
	// ofServer is how many transactions run at a time on a server: while one waits for its disk, the other decides.
	ofServer = 2
	// attempts of a transaction that collides with those of other OCSs on a server.
	attempts = 3
)

// join adds a request. It reports whether another one must serve.
func (q *queue) join(one *request, most int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()

	q.waiting = append(q.waiting, one)
	if q.serving >= most {
		return false
	}

	q.serving++

	return true
}

// leave removes a request that still waits. It reports false if it is being served.
func (q *queue) leave(one *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()

	at := slices.Index(q.waiting, one)
	if at >= 0 {
		q.waiting = slices.Delete(q.waiting, at, at+1)
	}

	return at >= 0
}

// take takes the next requests; none: who serves ends.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()

	n := min(len(q.waiting), together)
	if n == 0 {
		q.serving--
		return nil
	}

	next := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)

	return next
}

// wait has a request served, and returns when it is: what it has changed is on the disk then. Who waits longer than its context lasts has
// changed nothing.
func (s *Server) wait(ctx context.Context, one *request) error {
	most := 1
	if s.shared {
		most = ofServer
	}

	if s.queue.join(one, most) {
		go s.serveWaiting()
	}

	select {
	case <-one.done:
	case <-ctx.Done():
		if s.queue.leave(one) {
			return fmt.Errorf("waiting for its turn: %w", ctx.Err())
		}

		<-one.done
	}

	var p *panicked
	if errors.As(one.err, &p) {
		panic(p.Error()) // where it is recovered, with this request
	}

	return one.err
}

// serveWaiting serves until nobody waits.
func (s *Server) serveWaiting() {
	for {
		all := s.queue.take()
		if all == nil {
			return
		}

		s.serveAll(all)
		s.metrics.transactions.Inc()

		for _, one := range all {
			close(one.done)
		}
	}
}

// serveAll serves requests in one transaction. One that fails changes nothing: the others are served anew without it, and if that fails,
// too, each alone.
func (s *Server) serveAll(all []*request) {
	failed, err := s.attempt(all)
	for n := 1; n < attempts && database.Collided(err); n++ {
		failed, err = s.attempt(all)
	}

	if err == nil {
		return
	}

	rest := slices.Clone(all)

	if failed != nil {
		failed.err = err
		rest = slices.DeleteFunc(rest, func(one *request) bool { return one == failed })

		if _, err := s.attempt(rest); err == nil {
			return
		}
	} else if len(all) == 1 {
		all[0].err = err
		return
	}

	for _, one := range rest {
		_, one.err = s.attempt([]*request{one})
	}
}

// attempt serves requests in one transaction, and returns the one because of which it failed, if it was one.
func (s *Server) attempt(all []*request) (failed *request, err error) {
	if len(all) == 0 {
		return nil, nil
	}

	earliest := slices.MinFunc(all, func(a, b *request) int { return a.deadline.Compare(b.deadline) })

	ctx, cancel := context.WithDeadline(context.Background(), earliest.deadline)
	defer cancel()

	var ids []string
	asked := make([]*ro.CCR, len(all))

	for i, one := range all {
		asked[i], ids = one.q, append(ids, one.q.SessionID)
	}

	err = s.store.Group(ctx, ids, func(tx ledger.Tx) (err error) {
		defer func() { // no caller recovers what this goroutine does
			if p := recover(); p != nil {
				err = &panicked{p, debug.Stack()}
			}
		}()

		b, err := s.newBatch(tx)
		if err == nil {
			err = b.foresee(asked)
		}

		if err != nil {
			return err
		}

		for _, failed = range all {
			if err := s.decide(b, failed); err != nil {
				return err
			}
		}

		failed = nil

		return b.close()
	})
	if err != nil && ctx.Err() != nil {
		failed = earliest
	}

	return failed, err
}

// panicked is the error of a request whose procedure panicked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

// decide serves one request of a batch.
func (s *Server) decide(b *batch, one *request) error {
	q := one.q
	one.answer, one.w, one.again = nil, nil, false

	before, err := b.before(q)
	if err != nil {
		return err
	}

	if one.again = before != nil && s.owns(q, before.Host, before.Realm); one.again {
		one.answer, err = before.answer()
		return err
	}

	if one.w, err = s.serve(b, q, before != nil); err != nil {
		return err
	}

	one.answer = one.w.answer
	one.answer.Type, one.answer.Number = q.Type, q.Number

	if one.w.stranger {
		return nil
	}

	if s.shared && (q.Type == ro.Initial || q.Type == ro.Update) && one.answer.Result.Successful() {
		supported := uint32(1) // FAILOVER_SUPPORTED (RFC 8506 §8.4)
		one.answer.SessionFailover = &supported
	}

	return b.remember(q, one.answer, one.w.run.State(), before != nil)
}
