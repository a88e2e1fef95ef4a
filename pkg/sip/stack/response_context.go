package stack

import (
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// responseContext is a proxied request with its branches (RFC 3261 §16.2). It is a state machine without a goroutine of its own: whoever
// posts an event steps it, unless somebody is doing so already; then the event waits in the mailbox.
type responseContext struct {
	stack *Stack
	tx    *ServerTransaction

	mu       sync.Mutex
	mailbox  []event
	stepped  bool // somebody steps it
	answered bool // the final response has gone upstream, and further 2xx follow it at once

	// The fields below belong to the goroutine that steps.

	plan      Plan
	next      [][]Branch // groups left to try
	invite    bool
	loop      string    // RFC 5393: put into each branch
	breadth   int       // RFC 5393 §5: the number of branches at a time, here and downstream
	latest    time.Time // how long an INVITE may ring
	runs      []*run
	waiting   []Branch        // for breadth
	best      []*sip.Response // final responses of branches that are over
	stop      bool            // no further branches: cancelled, a 6xx came, or it has rung too long
	cancelled bool            // by the sender of the request
	oversized error           // error of a branch whose request did not fit
	forwarded map[callee][]byte
}

// event is something that happened to a request: a response or the end of a client transaction; without a transaction, the alarm of a
// branch; without a branch, the CANCEL.
type event struct {
	run      *run
	tx       *ClientTransaction
	response *sip.Response
	err      error
}

// withdrawn posts the CANCEL.
func (c *responseContext) withdrawn() { c.post(event{}) }

// post adds an event. It never blocks, because the readers of the sockets call it with the client transaction's lock held: an event that
// needs more than a mark is handled by a goroutine that ends when the mailbox is empty.
func (c *responseContext) post(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()

	switch {
	case c.answered && (e.response == nil || !e.response.IsSuccess() || !c.invite):
	case c.stepped:
		c.mailbox = append(c.mailbox, e)
	case !c.answered && e.marks():
	default:
		c.mailbox = append(c.mailbox, e)
		c.stepped = true
		c.stack.running.Go(c.run)
	}
}

// marks handles an event that needs only a mark, or nothing, while nobody steps, and reports whether it was one.
func (e event) marks() bool {
	r := e.run

	switch {
	case r == nil:
		return false
	case e.response != nil && e.response.StatusCode == 100:
		r.heard(e.tx)
		return true
	default: // the end of a transaction that has had its final response, or was given up
		return e.response == nil && (r.over || e.tx != nil && e.tx != r.tx)
	}
}

// run steps until the mailbox is empty.
func (c *responseContext) run() {
	for events := c.take(); events != nil; events = c.take() {
		c.step(events)
	}
}

// take empties the mailbox. If it is empty, nobody steps from now on.
func (c *responseContext) take() []event {
	c.mu.Lock()
	defer c.mu.Unlock()

	events := c.mailbox
	c.mailbox, c.stepped = nil, len(events) > 0

	return events
}

// step handles the events, and begins what is left to try. A panic ends the request.
func (c *responseContext) step(events []event) {
	if !c.guarded(func() { c.proceed(events) }) && !c.answered {
		c.guarded(c.abort)
	}
}

func (c *responseContext) guarded(f func()) (sound bool) {
	defer func() {
		if p := recover(); p != nil {
			c.stack.fault(c.tx.name(), p)
		}
	}()

	f()

	return true
}

func (c *responseContext) abort() {
	c.plan.OnResponse = nil
	c.cancelPending()
	c.finish(c.ownResponse(c.stack.ofFaults(), casePanic, panicked))
}

func (c *responseContext) proceed(events []event) {
	for _, e := range events {
		c.handle(e)
	}

	switch {
	case c.answered:
		return
	case c.stack.ctx.Err() != nil:
		c.finish(local(c.tx.request, 503, "the proxy stops"))
		return
	}

	if !c.stop && len(c.waiting) > 0 {
		c.startWaiting()
	}

	c.doubt()

	for c.pending() == 0 && !c.answered {
		switch {
		case !c.stop && len(c.waiting) > 0:
			c.startWaiting()
		case !c.stop && len(c.next) > 0:
			group := c.next[0]
			if c.next = c.next[1:]; len(c.next) == 0 {
				c.next = nil
			}

			c.start(group)
			c.doubt()
		default:
			c.finish(c.choose())
		}
	}
}

func (c *responseContext) pending() (n int) {
	for _, r := range c.runs {
		if !r.over {
			n++
		}
	}

	return n
}

// cancel handles the CANCEL from upstream (§16.10).
func (c *responseContext) cancel() {
	c.stop, c.cancelled = true, true
	c.cancelPending(c.tx.reasons()...)
}

func (c *responseContext) cancelPending(why ...sip.Header) {
	if c.plan.OnCancel != nil && len(why) > 0 {
		why = c.plan.OnCancel(why)
	}

	for _, r := range c.runs {
		if !r.over && r.tx != nil {
			r.tx.Cancel(why...)
		}
	}
}

// finish sends the response upstream, unless one went there already, and ends the request.
func (c *responseContext) finish(response *sip.Response) {
	for _, r := range c.runs {
		r.end()
	}

	if c.oversized != nil && response.Source() != oversizedSource { // another branch's response goes upstream
		c.stack.dropped(serialise(c.tx.request), c.oversized)
	}

	if !response.IsSuccess() {
		if c.plan.OnResponse != nil {
			c.plan.OnResponse(nil, response)
		}

		if response.StatusCode == 408 && !c.invite { // RFC 4320 §4.2: its sender has given up by now, or would blame this hop
			c.tx.silence()
		} else {
			c.explain(response)
			_ = c.tx.Respond(response)
		}
	}

	c.mu.Lock()
	c.answered = true
	c.mu.Unlock()

	defer c.tx.handled()

	then := c.plan.Then
	c.forget()

	if then != nil {
		then(response)
	}
}

// forget keeps only what further 2xx need, because the client transactions stay for some time.
func (c *responseContext) forget() {
	c.next, c.waiting, c.best = nil, nil, nil
	c.plan.OnFailure, c.plan.Then = nil, nil

	if c.invite {
		return
	}

	for _, r := range c.runs {
		r.branch = Branch{}
	}

	c.plan, c.runs = Plan{}, nil
}
