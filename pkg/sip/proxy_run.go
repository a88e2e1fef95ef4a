package sip

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// run is a branch in work: its attempts, one after the other, to reach its target.
type run struct {
	branch    Branch
	tx        *ClientTransaction // of the last attempt
	ways      []way              // left to try
	patience  *time.Timer        // the branch's own time, if it has one
	doubt     *time.Timer        // of a doubtful branch that only it is left to wait for
	timerC    *time.Timer        // of an INVITE (§16.6 11)
	expires   time.Time          // of timer C
	sent      time.Time          // the first attempt
	responded bool               // to the last attempt
	rings     bool               // more than 100 has come
	rangOut   bool               // timer C has fired, and CANCEL is on its way
	breadth   int                // RFC 5393 §5: its share
	over      bool
}

var (
	errSlow  = errors.New("sip: no response within the time that the branch has")
	errRang  = errors.New("sip: timer C")
	errDoubt = errors.New("sip: a doubtful branch has had its time")
)

// start sends the branches of one group, as many at a time as the request's breadth allows.
func (f *forwarding) start(ctx context.Context, branches []Branch) {
	left := f.breadth
	for _, r := range f.runs {
		if !r.over {
			left -= r.breadth
		}
	}

	if f.breadth == 0 && len(branches) > 0 { // RFC 5393 §5.3.3
		f.best = append(f.best, NewResponse(f.tx.request, 440, ""))
		return
	}

	if n := max(left, 0); n < len(branches) {
		f.waiting = append(f.waiting, branches[n:]...)
		branches = branches[:n]
	}

	for i, b := range branches {
		share := left / (len(branches) - i)
		left -= share
		r := &run{branch: b, breadth: share}
		f.runs = append(f.runs, r)

		Set(b.Request, "Max-Breadth", strconv.Itoa(share))

		ways, err := f.stack.ways(ctx, b.Request, b.To)
		if err != nil {
			f.failed(ctx, r, local(b.Request, unresolved(err), err.Error()))
			continue
		}

		r.ways = ways
		f.send(ctx, r)
	}
}

// startWaiting sends branches for which there was no breadth before.
func (f *forwarding) startWaiting(ctx context.Context) {
	group := f.waiting
	f.waiting = nil
	f.start(ctx, group)
}

// unresolved is the status for a target that cannot be found: the name does not exist, or nobody can say.
func unresolved(err error) int {
	if errors.Is(err, ErrNoTarget) {
		return 404
	}

	return 503
}

// send begins an attempt. It does not wait for a connection.
func (f *forwarding) send(ctx context.Context, r *run) {
	tx, left, err := f.stack.attempt(ctx, r.branch.Request, r.ways, func() string { return loopBranch(f.loop) },
		func(tx *ClientTransaction, response *Response, err error) { f.deliver(event{r, tx, response, err}) })
	if err != nil {
		f.failed(ctx, r, unsent(r.branch.Request, err))
		return
	}

	r.tx, r.ways, r.responded = tx, left, false
	if r.sent.IsZero() {
		r.sent = time.Now()
	}

	patience := r.branch.Timeout
	if f.invite && tx.flow.tentative && (patience == 0 || patience > tentativeAnswer) {
		patience = tentativeAnswer
	}

	if patience > 0 {
		r.patience = time.AfterFunc(patience, func() { f.deliver(event{r, tx, nil, errSlow}) })
	}

	if f.invite {
		f.ring(r)
	}
}

// again sends a branch to its next target.
func (f *forwarding) again(ctx context.Context, r *run) {
	r.tx.Cancel()
	r.stopTimers()
	f.send(ctx, r)
}

// ring starts timer C of a branch, or starts it anew (§16.7 2).
func (f *forwarding) ring(r *run) {
	if !f.invite || r.rangOut {
		return
	}

	now := time.Now()
	wait := max(0, min(f.stack.config.Timers.C, f.latest.Sub(now)))
	r.expires = now.Add(wait)

	if r.timerC != nil && r.timerC.Reset(wait) {
		return
	}

	tx := r.tx
	r.timerC = time.AfterFunc(wait, func() { f.deliver(event{r, tx, nil, errRang}) })
}

// rangOut is §16.8: a branch of which something was heard is cancelled, another is over.
func (f *forwarding) rangOut(ctx context.Context, r *run) {
	now := time.Now()
	if now.Before(r.expires) { // it was started anew in the meantime
		return
	}

	r.rangOut = true
	r.tx.Cancel(reason(408, ""))

	if !now.Before(f.latest) {
		f.stop = true
	}

	if !r.responded {
		f.failed(ctx, r, f.unanswered(r, nil))
	}
}

// doubt gives up the doubtful branches that are silent when there are no others left to wait for. Their silence is no answer beside
// those that came.
func (f *forwarding) doubt() {
	for _, r := range f.runs {
		if !r.over && (r.branch.Doubtful == 0 || r.rings || r.tx == nil) {
			return
		}
	}

	for _, r := range f.runs {
		if r.over {
			continue
		}

		if wait := r.branch.Doubtful - time.Since(r.sent); wait > 0 {
			if r.doubt == nil {
				tx := r.tx
				r.doubt = time.AfterFunc(wait, func() { f.deliver(event{r, tx, nil, errDoubt}) })
			}

			continue
		}

		r.tx.Cancel()
		r.end()

		if len(f.best) == 0 {
			f.best = append(f.best, f.unanswered(r, nil))
		}
	}
}

func (r *run) target() Target {
	return Target{Transport: r.tx.flow.Transport, Addr: r.tx.flow.Remote}
}

func (r *run) end() {
	r.over = true
	r.stopTimers()

	if r.doubt != nil {
		r.doubt.Stop()
	}
}

func (r *run) stopTimers() {
	if r.patience != nil {
		r.patience.Stop()
	}

	if r.timerC != nil {
		r.timerC.Stop()
		r.timerC = nil
	}
}

const (
	maxBreadth = 60 // RFC 5393 §5.3.3.1
	maxPassed  = 16 // 2xx responses of different callees that one INVITE may have
)

// breadthOf is how many branches a request may have (RFC 5393 §5.3.3).
func breadthOf(r *Request) int {
	n, err := strconv.ParseUint(Value(r, "Max-Breadth"), 10, 31)
	if err != nil {
		return maxBreadth
	}

	return int(n)
}

// passed are the 2xx responses to an INVITE that went upstream, so that one which comes again goes the same way unseen.
type passed struct {
	mu  sync.Mutex
	raw map[callee][]byte
}

type callee struct {
	tx  *ClientTransaction
	tag string
}

// success sends a 2xx upstream, whatever went there before (RFC 3261 §16.7 5).
func (f *forwarding) success(e event) {
	tag, _ := e.response.To().Params.Get("tag")
	who := callee{e.tx, tag}

	f.passed.mu.Lock()
	defer f.passed.mu.Unlock()

	if raw, again := f.passed.raw[who]; again {
		f.tx.again(raw)
		return
	}

	if len(f.passed.raw) >= maxPassed {
		f.stack.metrics.unexpected.WithLabelValues(e.tx.flow.Endpoint.name, "2xx").Inc()
		return
	}

	e.response.RemoveHeader("Via")

	if f.plan.OnResponse != nil {
		f.plan.OnResponse(&e.run.branch, e.response)
	}

	raw, _ := f.tx.respond(e.response)

	if f.invite {
		if f.passed.raw == nil {
			f.passed.raw = map[callee][]byte{}
		}

		f.passed.raw[who] = raw
	}
}
