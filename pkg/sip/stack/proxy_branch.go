package stack

import (
	"errors"
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// run is a branch in work: its attempts, one after the other, to reach its target.
type run struct {
	context   *responseContext
	branch    Branch
	tx        *ClientTransaction // of the last attempt
	ways      []way              // left to try
	alarm     *time.Timer        // for the earliest of the times below
	due       time.Time          // when the alarm fires; zero: it is not set
	patience  time.Time          // how long the last attempt may be silent; zero: as long as its transaction lasts
	expires   time.Time          // timer C of an INVITE (§16.6 11); zero: it does not run
	sent      time.Time          // when the first attempt was
	breadth   int                // its share of Max-Breadth (RFC 5393 §5)
	responded bool               // a response to the last attempt has come
	rings     bool               // a provisional response other than 100 has come
	rangOut   bool               // timer C has fired, and CANCEL is on its way
	over      bool
}

var errSlow = errors.New("sip: no response within the time that the branch has")

// start sends the branches of one group, as many at a time as the request's breadth allows.
func (c *responseContext) start(branches []Branch) {
	left := c.breadth
	for _, r := range c.runs {
		if !r.over {
			left -= r.breadth
		}
	}

	if c.breadth == 0 && len(branches) > 0 { // RFC 5393 §5.3.3
		c.best = append(c.best, c.ownResponse(c.stack.refuser, caseBreadth, tooNarrow))
		return
	}

	if n := max(left, 0); n < len(branches) {
		c.waiting = append(c.waiting, branches[n:]...)
		branches = branches[:n]
	}

	for i, b := range branches {
		share := left / (len(branches) - i)
		left -= share
		r := &run{context: c, branch: b, breadth: share}
		c.runs = append(c.runs, r)

		sip.Set(b.Request, "Max-Breadth", strconv.Itoa(share))

		ways, err := c.stack.ways(c.stack.ctx, b.Request, b.To)
		if err != nil {
			c.failed(r, local(b.Request, unresolved(err), err.Error()))
			continue
		}

		r.ways = ways
		c.send(r)
	}
}

// startWaiting sends branches that had to wait for breadth.
func (c *responseContext) startWaiting() {
	group := c.waiting
	c.waiting = nil
	c.start(group)
}

// unresolved returns the status for a target that cannot be resolved: the name does not exist, or nobody can say.
func unresolved(err error) int {
	if errors.Is(err, ErrNoTarget) {
		return 404
	}

	return 503
}

// send begins an attempt. It does not wait for a connection.
func (c *responseContext) send(r *run) {
	tx, left, err := c.stack.attempt(c.stack.ctx, r.branch.Request, r.ways, func() string { return loopBranch(c.loop) }, r)
	if err != nil {
		if errors.Is(err, errOversized) {
			c.oversized = err
		}

		c.failed(r, unsent(r.branch.Request, err))
		return
	}

	if len(left) == 0 {
		left = nil
	}

	now := time.Now()

	r.tx, r.ways, r.responded, r.patience = tx, left, false, time.Time{}
	if r.sent.IsZero() {
		r.sent = now
	}

	patience := r.branch.Timeout
	if c.invite && tx.flow.tentative && (patience == 0 || patience > tentativeAnswer) {
		patience = tentativeAnswer
	}

	if patience > 0 {
		r.patience = now.Add(patience)
		r.wake(r.patience)
	}

	c.ring(r)
}

// again sends a branch to its next target.
func (c *responseContext) again(r *run) {
	r.tx.Cancel()
	c.send(r)
}

// delivered passes on the response or the end of an attempt.
func (r *run) delivered(tx *ClientTransaction, response *sip.Response, err error) {
	r.context.post(event{run: r, tx: tx, response: response, err: err})
}

// heard records that the target has the request, which is then not sent again over another transport.
func (r *run) heard(tx *ClientTransaction) {
	if tx == r.tx && !r.over {
		r.responded, r.branch.Provisional = true, true
		r.ways = besides(r.ways, tx.flow.Remote)
	}
}

// ring starts timer C of a branch, or restarts it (§16.7 2).
func (c *responseContext) ring(r *run) {
	if !c.invite || r.rangOut {
		return
	}

	now := time.Now()
	r.expires = now.Add(max(0, min(c.stack.config.Timers.C, c.latest.Sub(now))))
	r.wake(r.expires)
}

// wake sets the alarm, unless it is set to an earlier time: when it fires, alarmed finds out what is due.
func (r *run) wake(at time.Time) {
	if !r.due.IsZero() && !at.Before(r.due) {
		return
	}

	r.due = at

	if wait := time.Until(at); r.alarm == nil {
		r.alarm = time.AfterFunc(wait, func() { r.context.post(event{run: r}) })
	} else {
		r.alarm.Reset(wait)
	}
}

// alarmed does what is due for a branch.
func (c *responseContext) alarmed(r *run) {
	now := time.Now()
	r.due = time.Time{}

	if !r.patience.IsZero() && !now.Before(r.patience) {
		r.patience = time.Time{}

		if !r.responded && (r.branch.Busy == nil || !r.branch.Busy()) {
			c.ended(r, errSlow)
		}
	}

	if !r.over && !r.expires.IsZero() && !now.Before(r.expires) {
		c.rangOut(r)
	}

	for _, at := range []time.Time{r.patience, r.expires} {
		if !r.over && !at.IsZero() {
			r.wake(at)
		}
	}
}

// rangOut does §16.8: a branch with a provisional response is cancelled, any other is over.
func (c *responseContext) rangOut(r *run) {
	r.rangOut, r.expires = true, time.Time{}
	r.tx.Cancel(sip.StatusReason(408, "").Header())

	if !time.Now().Before(c.latest) {
		c.stop = true
	}

	if !r.responded {
		c.failed(r, c.unanswered(r, nil))
	}
}

// doubt gives up the doubtful branches that are silent when there are no others left to wait for. Their silence does not count as an
// answer beside those that came.
func (c *responseContext) doubt() {
	for _, r := range c.runs {
		if !r.over && (r.branch.Doubtful == 0 || r.rings || r.tx == nil) {
			return
		}
	}

	for _, r := range c.runs {
		if r.over {
			continue
		}

		if end := r.sent.Add(r.branch.Doubtful); time.Now().Before(end) {
			r.wake(end)
			continue
		}

		r.tx.Cancel()
		r.end()

		if len(c.best) == 0 {
			c.best = append(c.best, c.unanswered(r, nil))
		}
	}
}

func (r *run) target() Target {
	return Target{Transport: r.tx.flow.Transport, Addr: r.tx.flow.Remote}
}

func (r *run) end() {
	r.over = true
	if r.alarm != nil {
		r.alarm.Stop()
	}
}
