package sip

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Branch is one copy of a request on its way to one target.
type Branch struct {
	Request *Request      // of Forwardable or a Copy of it, changed as this target needs; the proxy adds Via
	To      Destination   // where to
	Timeout time.Duration // without any response by then the branch counts as unanswered; 0: the transaction's own timers
	Label   string        // for the caller: what this branch is
}

// Plan says how a request is proxied.
type Plan struct {
	// Groups are tried one after the other, the branches of one group at the same time (RFC 3261 §16.6).
	Groups [][]Branch
	// OnResponse sees every response that goes upstream, without this proxy's Via, and may change it.
	OnResponse func(b *Branch, r *Response)
	// OnFailure sees the final response other than 2xx that ends a branch, made by the stack itself if nobody answered.
	// Branches that it returns are tried in its place; nil makes it that branch's answer.
	OnFailure func(b *Branch, r *Response) []Branch
}

// Forward proxies a request until its final response has gone upstream, and returns that response (RFC 3261 §16).
func (s *Stack) Forward(ctx context.Context, tx *ServerTransaction, p Plan) *Response {
	f := &forwarding{stack: s, tx: tx, plan: p, invite: tx.request.IsInvite(), loop: loopHash(tx.request), wake: make(chan struct{}, 1)}

	return f.run(ctx)
}

// forwarding is the response context of RFC 3261 §16.2. Only its own goroutine changes it; responses come by the mailbox.
type forwarding struct {
	stack  *Stack
	tx     *ServerTransaction
	plan   Plan
	invite bool
	loop   string // RFC 5393: goes into each branch
	runs   []*run
	best   []*Response // final responses of branches that are over
	stop   bool        // no further branches: cancelled, or a 6xx came

	mu      sync.Mutex
	mailbox []event
	wake    chan struct{}
	settled bool // a 2xx went upstream and Forward has returned: further 2xx go upstream at once
}

type run struct {
	branch  Branch
	tx      *ClientTransaction
	flows   []Flow      // left to try
	timer   *time.Timer // of the branch's own time, if it has one
	ringing bool
	over    bool
}

type event struct {
	run      *run
	tx       *ClientTransaction
	response *Response
	err      error
}

func (f *forwarding) run(ctx context.Context) *Response {
	next := f.plan.Groups
	if len(next) > 0 {
		f.start(ctx, next[0])
		next = next[1:]
	}

	limits := f.stack.config.Timers
	latest := time.Now().Add(limits.Ringing)
	timerC := time.NewTimer(limits.C)

	defer timerC.Stop()

	cancelled := f.tx.Cancelled()

	for {
		for f.pending() == 0 {
			if f.stop || len(next) == 0 {
				return f.finish(f.choose())
			}

			f.start(ctx, next[0])
			next = next[1:]
		}

		select {
		case <-f.wake:
			for _, e := range f.take() {
				if final := f.handle(ctx, e); final != nil {
					return final
				}

				if f.invite && e.response != nil && e.response.IsProvisional() && e.response.StatusCode > 100 {
					timerC.Reset(max(0, min(limits.C, time.Until(latest)))) // §16.7 2
				}
			}
		case <-cancelled:
			cancelled, f.stop = nil, true
			f.cancelPending()
		case <-timerC.C:
			if f.invite { // §16.8
				f.stop = true
				f.cancelPending()
			}
		case <-ctx.Done():
			f.abandon()
			return f.finish(local(f.tx.request, 503, "the proxy stops"))
		}
	}
}

func (f *forwarding) pending() (n int) {
	for _, r := range f.runs {
		if !r.over {
			n++
		}
	}

	return n
}

// start sends the branches of one group.
func (f *forwarding) start(ctx context.Context, branches []Branch) {
	for _, b := range branches {
		r := &run{branch: b}
		f.runs = append(f.runs, r)

		flows, err := f.stack.flows(ctx, b.Request, b.To)
		if err != nil {
			f.failed(ctx, r, local(b.Request, unresolved(err), err.Error()))
			continue
		}

		r.flows = flows
		f.send(ctx, r)
	}
}

// unresolved is the status for a target that cannot be found: the name does not exist, or nobody can say.
func unresolved(err error) int {
	if errors.Is(err, ErrNoTarget) {
		return 404
	}

	return 503
}

func (f *forwarding) send(ctx context.Context, r *run) {
	tx, left, err := f.stack.attempt(r.branch.Request, r.flows, func() string { return loopBranch(f.loop) },
		func(tx *ClientTransaction, response *Response, err error) { f.deliver(event{r, tx, response, err}) })
	if err != nil {
		f.failed(ctx, r, local(r.branch.Request, 503, err.Error()))
		return
	}

	r.tx, r.flows, r.ringing = tx, left, false

	if r.branch.Timeout > 0 {
		r.timer = time.AfterFunc(r.branch.Timeout, func() { f.deliver(event{r, tx, nil, errSlow}) })
	}
}

// again sends a branch to its next target. The request is a new one: the old transaction may still need its own.
func (f *forwarding) again(ctx context.Context, r *run) {
	r.tx.Cancel()

	if r.timer != nil {
		r.timer.Stop()
	}

	r.branch.Request = Copy(r.branch.Request)
	r.branch.Request.RemoveHeader("Via")
	f.send(ctx, r)
}

var errSlow = errors.New("sip: no response within the time that the branch has")

// deliver puts an event into the mailbox. It is called by whoever reads the sockets and never blocks.
func (f *forwarding) deliver(e event) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.settled {
		if e.response != nil && e.response.IsSuccess() && f.invite {
			f.stack.running.Go(func() { f.upstream(e.run, e.response) })
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
	if e.tx != r.tx || r.over && (e.response == nil || !e.response.IsSuccess()) {
		return nil // of an attempt that was given up
	}

	switch {
	case e.response == nil && errors.Is(e.err, errSlow) && r.ringing:
		return nil // it did respond
	case e.response == nil && len(r.flows) > 0 && !f.stop:
		f.stack.resolver.MarkFailed(Target{Transport: r.tx.flow.Transport, Addr: r.tx.flow.Remote})
		f.again(ctx, r)
	case e.response == nil:
		r.tx.Cancel()
		f.stack.resolver.MarkFailed(Target{Transport: r.tx.flow.Transport, Addr: r.tx.flow.Remote})
		f.failed(ctx, r, f.unanswered(r))
	case e.response.StatusCode == 100:
		r.ringing = true // §16.7 5: a 100 goes no further
	case e.response.IsProvisional():
		r.ringing = true
		f.upstream(r, e.response)
	case e.response.IsSuccess():
		r.over = true
		f.upstream(r, e.response)
		f.stop = true
		f.cancelPending()

		return f.finish(e.response)
	default:
		if e.response.StatusCode == 503 && len(r.flows) > 0 && !f.stop { // RFC 3263 §4.3
			f.again(ctx, r)
			break
		}

		e.response.RemoveHeader("Via")
		f.failed(ctx, r, e.response)
	}

	return nil
}

// unanswered is what stands for the answer that never came.
func (f *forwarding) unanswered(r *run) *Response {
	if f.stop && f.invite {
		return local(f.tx.request, 487, "cancelled, and the other side did not answer")
	}

	return local(f.tx.request, 408, "no answer from "+r.tx.flow.Remote.String())
}

// failed ends a branch with a final response other than 2xx.
func (f *forwarding) failed(ctx context.Context, r *run, response *Response) {
	r.over = true

	if f.plan.OnFailure != nil && !f.stop {
		if instead := f.plan.OnFailure(&r.branch, response); instead != nil {
			f.start(ctx, instead)
			return
		}
	}

	f.best = append(f.best, response)

	if response.StatusCode >= 600 { // §16.7 5: a 6xx ends all branches
		f.stop = true
		f.cancelPending()
	}
}

func (f *forwarding) upstream(r *run, response *Response) {
	response.RemoveHeader("Via")

	if f.plan.OnResponse != nil {
		f.plan.OnResponse(&r.branch, response)
	}

	_ = f.tx.Respond(response)
}

func (f *forwarding) cancelPending() {
	for _, r := range f.runs {
		if !r.over && r.tx != nil {
			r.tx.Cancel()
		}
	}
}

// abandon gives up when the stack stops.
func (f *forwarding) abandon() {
	for _, r := range f.runs {
		r.over = true
	}
}

// choose is the best response of RFC 3261 §16.7 6.
func (f *forwarding) choose() *Response {
	var best *Response

	for _, r := range f.best {
		if best == nil || better(r.StatusCode, best.StatusCode) {
			best = r
		}
	}

	switch {
	case best == nil:
		return local(f.tx.request, 480, "there was no target")
	case best.StatusCode == 503 && !Local(best): // §16.7 6: what is below being overloaded does not make this proxy so
		best.StatusCode, best.Reason = 500, "Server Internal Error"
	case best.StatusCode == 401 || best.StatusCode == 407: // §16.7 7
		for _, r := range f.best {
			if r == best || r.StatusCode != 401 && r.StatusCode != 407 {
				continue
			}

			for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
				for _, h := range r.GetHeaders(name) {
					best.AppendHeader(h)
				}
			}
		}
	}

	return best
}

// better ranks final responses: 6xx first, then the lowest class, and within 4xx what tells the caller how to go on.
func better(a, b int) bool {
	rank := func(status int) int {
		switch {
		case status >= 600:
			return 0
		case status == 401 || status == 407 || status == 415 || status == 420 || status == 484:
			return 4000
		case status == 408: // says the least of its class
			return 4999
		default:
			return status/100*1000 + 1 + status%100
		}
	}

	return rank(a) < rank(b)
}

// finish sends the response upstream, unless it went there already.
func (f *forwarding) finish(response *Response) *Response {
	f.mu.Lock()
	f.settled = true
	late := f.mailbox
	f.mailbox = nil
	f.mu.Unlock()

	for _, r := range f.runs {
		if r.timer != nil {
			r.timer.Stop()
		}
	}

	if !response.IsSuccess() {
		if f.plan.OnResponse != nil {
			f.plan.OnResponse(nil, response)
		}

		_ = f.tx.Respond(response)
	}

	for _, e := range late { // a second 2xx that came together with the first
		if e.response != nil && e.response.IsSuccess() && f.invite {
			f.upstream(e.run, e.response)
		}
	}

	return response
}
