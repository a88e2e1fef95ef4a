package sip

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Branch is one copy of a request on its way to one target.
type Branch struct {
	Request *Request      // of Forwardable or a Copy of it, changed as this target needs; each attempt goes out with a Via of its own
	To      Destination   // where to
	Timeout time.Duration // without any response by then the branch counts as unanswered; 0: the transaction's own timers
	// asked at Timeout: true if the target works on the request, though it has said nothing; then it keeps the transaction's timers
	Busy func() bool
	// Doubtful is for a target that is probably gone: when all other branches are over, this one is given up if it has said nothing
	// but 100 by so long after it was sent. 0: the branch is waited for as long as any (RFC 3261 §16.7 6).
	Doubtful time.Duration
	Label    string // for the caller: what this branch is

	Provisional bool // set by the stack: a provisional response has come, be it a 100
}

// Plan says how a request is proxied.
type Plan struct {
	// Groups are tried one after the other, the branches of one group at the same time (RFC 3261 §16.6).
	Groups [][]Branch
	// OnResponse sees every response that goes upstream, without this proxy's Via, and may change it. Retransmissions of a 2xx
	// are not shown again. Of an INVITE that forked, a further 2xx may come after Forward has returned, from another goroutine.
	OnResponse func(b *Branch, r *Response)
	// OnFailure sees the final response other than 2xx that ends a branch, made by the stack itself if nobody answered.
	// Branches that it returns are tried in its place; nil makes it that branch's answer. It is not asked about a branch that
	// rang until timer C, nor once the request is cancelled.
	OnFailure func(b *Branch, r *Response) []Branch
}

// Forward proxies a request until its final response has gone upstream, and returns that response (RFC 3261 §16). A 408 to
// what is no INVITE does not go upstream (RFC 4320 §4.2).
func (s *Stack) Forward(ctx context.Context, tx *ServerTransaction, p Plan) *Response {
	f := &forwarding{
		stack: s, tx: tx, plan: p, invite: tx.request.IsInvite(), loop: loopHash(tx.request), breadth: breadthOf(tx.request),
		latest: time.Now().Add(s.config.Timers.Ringing), wake: make(chan struct{}, 1),
	}

	return f.run(ctx)
}

// forwarding is the response context of RFC 3261 §16.2. Only its own goroutine changes it; responses come by the mailbox.
type forwarding struct {
	stack     *Stack
	tx        *ServerTransaction
	plan      Plan
	next      [][]Branch      // groups left to try
	cancels   <-chan struct{} // closed when the request is cancelled; nil once that is known
	invite    bool
	loop      string    // RFC 5393: goes into each branch
	breadth   int       // RFC 5393 §5: so many branches may there be at a time, here and below
	latest    time.Time // until when an INVITE may ring
	runs      []*run
	waiting   []Branch    // for breadth
	best      []*Response // final responses of branches that are over
	stop      bool        // no further branches: cancelled, a 6xx came, or it has rung too long
	cancelled bool        // by who sent the request

	mu      sync.Mutex
	mailbox []event
	wake    chan struct{}
	settled bool // Forward has returned: further 2xx go upstream at once

	passed passed
}

// event is something that came for a branch: a response, or the end without one.
type event struct {
	run      *run
	tx       *ClientTransaction
	response *Response
	err      error
}

// run waits with a small stack: what it does in between is in calls of its own. A goroutine that is parked deep keeps twice the memory,
// and a flood has one for each request.
func (f *forwarding) run(ctx context.Context) *Response {
	f.next, f.cancels = f.plan.Groups, f.tx.Cancelled()

	for {
		if final := f.proceed(ctx); final != nil {
			return final
		}

		if !f.wait(ctx) {
			return f.stopped()
		}
	}
}

// wait is until something has come, or until the request is cancelled. It is false when the stack ends.
//
//go:noinline
func (f *forwarding) wait(ctx context.Context) bool {
	select {
	case <-f.wake:
	case <-f.cancels:
	case <-ctx.Done():
		return false
	}

	return true
}

// proceed does with what has come what is to be done, and begins what is left to try. The response that it returns has ended the
// request.
//
//go:noinline
func (f *forwarding) proceed(ctx context.Context) *Response {
	events := f.take()
	for i, e := range events {
		if final := f.handle(ctx, e); final != nil {
			f.late(events[i+1:])
			return final
		}
	}

	select {
	case <-f.cancels:
		f.cancels, f.stop, f.cancelled = nil, true, true
		f.cancelPending(f.tx.reasons()...)
	default:
	}

	if !f.stop && len(f.waiting) > 0 {
		f.startWaiting(ctx)
	}

	f.doubt()

	for f.pending() == 0 {
		switch {
		case !f.stop && len(f.waiting) > 0:
			f.startWaiting(ctx)
		case !f.stop && len(f.next) > 0:
			group := f.next[0]
			f.next = f.next[1:]
			f.start(ctx, group)
			f.doubt()
		default:
			return f.finish(f.choose())
		}
	}

	return nil
}

func (f *forwarding) stopped() *Response {
	for _, r := range f.runs {
		r.over = true
	}

	return f.finish(local(f.tx.request, 503, "the proxy stops"))
}

func (f *forwarding) pending() (n int) {
	for _, r := range f.runs {
		if !r.over {
			n++
		}
	}

	return n
}

// deliver puts an event into the mailbox. It is called by whoever reads the sockets and never blocks.
func (f *forwarding) deliver(e event) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.settled {
		if e.response != nil && e.response.IsSuccess() && f.invite {
			f.stack.running.Go(func() { f.success(e) })
		}

		return
	}

	f.mailbox = append(f.mailbox, e)

	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *forwarding) take() []event {
	f.mu.Lock()
	defer f.mu.Unlock()

	all := f.mailbox
	f.mailbox = nil

	return all
}

// handle does with one event what RFC 3261 §16.7 asks; a response that it returns has ended the request.
func (f *forwarding) handle(ctx context.Context, e event) *Response {
	r := e.run

	switch {
	case e.response != nil && e.response.IsSuccess(): // even of an attempt that was given up: who answered must be told
		if e.tx != r.tx {
			r.tx.Cancel(elsewhere())
		}

		r.over, f.stop = true, true
		f.success(e)
		f.cancelPending(elsewhere())

		return f.finish(e.response)
	case e.tx != r.tx || r.over: // of an attempt that was given up
	case e.response == nil:
		f.ended(ctx, r, e.err)
	case e.response.IsProvisional():
		r.responded, r.branch.Provisional = true, true
		if e.response.StatusCode == 100 { // §16.7 5: it goes no further
			break
		}

		r.rings = true
		f.ring(r)
		e.response.RemoveHeader("Via")

		if f.plan.OnResponse != nil {
			f.plan.OnResponse(&r.branch, e.response)
		}

		_ = f.tx.Respond(e.response)
	case r.rangOut: // the answer to this proxy's own CANCEL
		f.failed(ctx, r, f.unanswered(r, nil))
	case e.response.StatusCode == 503 && len(r.ways) > 0 && !f.stop: // RFC 3263 §4.3
		f.stack.resolver.MarkFailed(r.target())
		f.again(ctx, r)
	default:
		e.response.RemoveHeader("Via")
		f.failed(ctx, r, e.response)
	}

	return nil
}

// ended is an attempt without a final response, or one that takes too long.
func (f *forwarding) ended(ctx context.Context, r *run, err error) {
	switch {
	case errors.Is(err, errRang):
		f.rangOut(ctx, r)
		return
	case errors.Is(err, errDoubt): // doubt comes after each event
		return
	case errors.Is(err, errSlow) && (r.responded || r.branch.Busy != nil && r.branch.Busy()):
		return
	case errors.Is(err, errWithdrawn), r.rangOut, f.stop && r.responded: // it is not the other side's fault
	default:
		f.stack.resolver.MarkFailed(r.target())
	}

	if len(r.ways) > 0 && !f.stop && !r.rangOut {
		f.again(ctx, r)
		return
	}

	r.tx.Cancel()
	f.failed(ctx, r, f.unanswered(r, err))
}

// unanswered is what stands for the answer that never came.
func (f *forwarding) unanswered(r *run, err error) *Response {
	response := f.instead(r, err)
	if response.StatusCode == 408 && !r.branch.Provisional {
		response.SetSource(silentSource)
	}

	return response
}

func (f *forwarding) instead(r *run, err error) *Response {
	switch {
	case f.cancelled && f.invite:
		return local(f.tx.request, 487, "cancelled, and the other side did not answer")
	case r.rangOut:
		return local(f.tx.request, 408, r.tx.flow.Remote.String()+" rang until timer C")
	case errors.Is(err, ErrTransport): // §16.9
		return local(f.tx.request, 503, r.tx.flow.Remote.String()+": "+err.Error())
	default:
		return local(f.tx.request, 408, "no answer from "+r.tx.flow.Remote.String())
	}
}

// failed ends a branch with a final response other than 2xx.
func (f *forwarding) failed(ctx context.Context, r *run, response *Response) {
	r.end()

	if f.plan.OnFailure != nil && !f.stop && !r.rangOut {
		if instead := f.plan.OnFailure(&r.branch, response); instead != nil {
			f.start(ctx, instead)
			return
		}
	}

	f.best = append(f.best, response)

	if response.StatusCode >= 600 { // §16.7 5: a 6xx ends all branches
		f.stop = true
		f.cancelPending(reason(response.StatusCode, ""))
	}
}

func (f *forwarding) cancelPending(why ...Header) {
	for _, r := range f.runs {
		if !r.over && r.tx != nil {
			r.tx.Cancel(why...)
		}
	}
}

// finish sends the response upstream, unless it went there already.
func (f *forwarding) finish(response *Response) *Response {
	for _, r := range f.runs {
		r.end()
	}

	if !response.IsSuccess() {
		if f.plan.OnResponse != nil {
			f.plan.OnResponse(nil, response)
		}

		if response.StatusCode == 408 && !f.invite { // RFC 4320 §4.2: who sent it has given up by now, or thinks ill of this hop
			f.tx.silence()
		} else {
			_ = f.tx.Respond(response)
		}
	}

	f.mu.Lock()
	f.settled = true
	left := f.mailbox
	f.mailbox = nil
	f.mu.Unlock()

	f.late(left)

	return response
}

// late passes on the further 2xx that came together with the one that ended the request.
func (f *forwarding) late(events []event) {
	for _, e := range events {
		if e.response != nil && e.response.IsSuccess() && f.invite {
			f.success(e)
		}
	}
}
