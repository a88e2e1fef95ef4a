package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

var errTooMany = errors.New("the S-CSCF is in as many calls as it can be")

// call is one side of a call that this S-CSCF is in the route of, from the INVITE to the BYE.
type call struct {
	server  *Server
	entry   entries // in Record-Route
	side    side
	public  string
	other   string                   // who the call is with
	contact uint32                   // of the user that it is with; 0: not known. The server's lock guards it
	tx      *stack.ServerTransaction // of the INVITE; nil after a restart
	charge  *charging.Session
	abroad  bool // with a party of another network, which is not trusted

	mu       sync.Mutex
	invite   *sip.Request // as it came; until the answer
	dialog   *sip.ProxyDialog
	further  []*sip.ProxyDialog // with other callees, who have answered too
	ended    bool
	released *sip.Refusal // why, if it was ended from here
	expiry   *time.Timer  // of the session timer (RFC 4028), or of the longest call there may be
	unheard  *time.Timer  // until the ACK
	length   time.Duration
	until    time.Time
}

const (
	longestCall = 24 * time.Hour
	// lateRefresh is how long after its end a session is taken for dead: the parties give it up before (RFC 4028 §10), and a
	// refresh that comes at the last moment is on its way.
	lateRefresh = 5 * time.Second
	// lateBye lets a 2xx that comes for a call that has failed reach the caller before the BYE that releases it.
	lateBye = 500 * time.Millisecond
	// ackTime is how long the ACK of an answer may take: as long as a handset repeats its 200 (64*T1 of TS 24.229 §7.7). A caller
	// that has not heard of the answer by then, because its P-CSCF was restarted, will not, and does not hang up either.
	ackTime = 128 * time.Second
)

func (s *Server) newCall(tx *stack.ServerTransaction, sv *served) (*call, error) {
	c := &call{server: s, entry: newEntries(), side: sv.side, public: sv.public, tx: tx, invite: tx.Request()}

	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.calls) >= maxCalls {
		return nil, errTooMany
	}

	s.calls[c.entry.token] = c

	return c, nil
}

func (s *Server) forget(c *call) {
	s.mu.Lock()
	delete(s.calls, c.entry.token)
	s.unbind(c)
	s.mu.Unlock()

	c.drop()
}

func (s *Server) find(token string) *call {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.calls[token]
}

// callsOf are the calls that Route entries of this S-CSCF's name.
func (s *Server) callsOf(own []sip.NameAddr) (calls []*call) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, route := range own {
		if u, err := sip.ParseURI(route.URI); err == nil {
			if c := s.calls[tokenOf(u.User)]; c != nil {
				calls = append(calls, c)
			}
		}
	}

	return calls
}

// answered makes the dialog of the first 2xx and begins the count. A 2xx that comes when the call has failed, or was ended from here
// while it rang, goes upstream all the same (RFC 3261 §16.7 5), but nobody pays for it: both sides get a BYE.
func (c *call) answered(r *sip.Response, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.dialog != nil {
		c.forked(r)
		return
	}

	if c.invite == nil {
		return
	}

	dialog, err := sip.WatchDialog(c.invite, r, c.records)
	if c.ended {
		c.dialog, c.invite = dialog, nil

		if err == nil {
			reason := c.released
			if reason == nil {
				reason = sip.Refuse(408, "answered after the call had failed")
			}

			c.server.Log.Warn("a call was answered after it had failed, and is released", "user", c.public)
			time.AfterFunc(lateBye, func() { c.hangUp(dialog, reason) })
		}

		return
	}

	if err != nil {
		c.server.Log.Warn("the call cannot be released from here if its credit ends", "user", c.public, "error", err)
	}

	c.dialog, c.invite = dialog, nil

	c.last(seconds(r, "Session-Expires"))
	c.unheard = time.AfterFunc(ackTime, func() { c.releaseAs(408, "the caller has not acknowledged the answer", charging.Unspecified) })

	if c.charge != nil {
		c.charge.Answered(at)
	}

	c.keep()
}

// records reports whether a Record-Route entry is the call's own.
func (c *call) records(record sip.NameAddr) bool {
	u, err := sip.ParseURI(record.URI)
	return err == nil && tokenOf(u.User) == c.entry.token
}

// charged gives the call its charging session; false: the call is over already.
func (c *call) charged(session *charging.Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.charge = session

	return !c.ended
}

// acknowledged sees the ACK of the answer.
func (c *call) acknowledged() {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.unheard != nil {
		c.unheard.Stop()
	}
}

// of reports whether a request within a dialog is of this call's. One that shares nothing but the Route with it, or is of another
// callee behind a fork, passes and changes nothing.
func (c *call) of(r *sip.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	switch {
	case c.dialog != nil:
		return c.dialog.Has(r)
	case c.invite != nil: // of several early dialogs one may be ended by BYE; what comes of the call its INVITE will be told
		return r.Method != "BYE" && r.CallID().Value() == c.invite.CallID().Value()
	default: // its dialog could not be made
		return true
	}
}

// last sets how long the session lasts if nobody refreshes it; 0: there is no session timer. Called with the lock held.
func (c *call) last(interval time.Duration) {
	c.length = longestCall
	if interval > 0 {
		c.length = interval + lateRefresh
	}

	c.until = time.Now().Add(c.length)
	if c.expiry != nil {
		c.expiry.Reset(c.length)
		return
	}

	c.expiry = time.AfterFunc(c.length, c.expired)
}

func (c *call) expired() { c.release("nobody refreshed the session", charging.Unspecified) }

// observe sees a request within the dialog.
func (c *call) observe(out *sip.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.dialog != nil && !c.ended {
		c.dialog.Observe(out)
		c.keep()
	}
}

// refreshed sees the answer to a re-INVITE or UPDATE (RFC 4028 §8.2): it is a 2xx that keeps a session alive, and that says for
// how long.
func (c *call) refreshed(out *sip.Request, r *sip.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.dialog != nil && !c.ended {
		c.dialog.Answered(out, r)
		c.last(seconds(r, "Session-Expires"))
		c.keep()
	}
}

// end settles a call whose BYE came, or that was never answered.
func (s *Server) end(c *call, cause charging.Cause) {
	c.mu.Lock()
	ended, charge, further := c.ended, c.charge, slices.Clone(c.further)
	c.ended = true
	c.stop()
	c.mu.Unlock()

	if !ended {
		for _, dialog := range further {
			s.running.Go(func() { c.hangUp(dialog, errCallEnded) })
		}
	}

	if !ended && charge != nil {
		charge.End(cause)
	}

	s.forget(c)
}

// stop stops the call's timers. It is called with the lock held.
func (c *call) stop() {
	for _, timer := range []*time.Timer{c.expiry, c.unheard} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// release ends the call on both sides: for want of credit, or of a party that is alive.
func (c *call) release(why string, cause charging.Cause) {
	status := 402
	if cause == charging.Unspecified {
		status = 408
	}

	c.releaseAs(status, why, cause)
}

// releaseAs ends the call on both sides (TS 24.229 §5.4.5.1): each party gets a BYE in the name of the other or, while it rings,
// the callee a CANCEL and the caller 480. The status is that of their Reason.
func (c *call) releaseAs(status int, why string, cause charging.Cause) {
	s := c.server

	reason := sip.Refuse(status, why)
	if own, err := sip.ParseReason(cause.Reason); err == nil {
		reason.Reasons = []sip.Reason{own}
	}

	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}

	c.ended, c.released = true, reason
	dialogs, rings, charge := slices.Clone(c.further), c.invite != nil, c.charge

	if c.dialog != nil {
		dialogs = append(dialogs, c.dialog)
	}

	c.stop()
	c.mu.Unlock()

	s.Log.Info("call released by the S-CSCF", "user", c.public, "reason", why)
	s.outcomes.WithLabelValues(c.side.String(), "BYE", "released").Inc()

	if rings && c.tx != nil {
		c.tx.Withdraw(reason.Reasons[0].Header())
	}

	var group sync.WaitGroup

	for _, dialog := range dialogs {
		group.Go(func() { c.hangUp(dialog, reason) })
	}

	if charge != nil {
		charge.End(cause.Because(reason.Reasons[0].String()))
	}

	s.forget(c)
	group.Wait()
}

// hangUp sends a BYE to both sides, each in the name of the other (§5.4.5.1.2).
func (c *call) hangUp(dialog *sip.ProxyDialog, why *sip.Refusal) {
	ctx, cancel := context.WithTimeout(c.server.ctx, releaseTime)
	defer cancel()

	var group sync.WaitGroup

	for _, to := range []sip.Side{sip.Caller, sip.Callee} {
		group.Go(func() { c.server.bye(ctx, dialog, to, why.Reasons...) })
	}

	group.Wait()
}

// withdrawn is why the call was ended from here while it rang; nil: it was not.
func (c *call) withdrawn() *sip.Refusal {
	if c == nil {
		return nil
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if c.released == nil {
		return nil
	}

	return &sip.Refusal{Status: 480, Reasons: c.released.Reasons}
}

const releaseTime = 40 * time.Second // more than the timers of a BYE

func (s *Server) bye(ctx context.Context, dialog *sip.ProxyDialog, to sip.Side, why ...sip.Reason) {
	bye, err := dialog.Request(to, "BYE")
	if err != nil {
		s.Log.Error("BYE cannot be made", "call", dialog.CallID, "error", err)
		return
	}

	sip.SetReasons(bye, why...)

	response, err := s.Stack.Do(ctx, bye, stack.Destination{Endpoint: s.Endpoint})
	if err != nil || !response.IsSuccess() && response.StatusCode != 481 {
		s.Log.Warn("BYE was not taken", "call", dialog.CallID, "response", response, "error", err)
	}
}
