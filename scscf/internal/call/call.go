package call

import (
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Party is the served user of a call and the other party.
type Party struct {
	Side   Side
	Public string // identity of the served user
	Other  string // the other party, by the name under which messages to it are charged
	Abroad bool   // the other party is in another network, which is not trusted
}

// Call is one side of a call.
type Call struct {
	Party

	table   *Table
	entry   entries                  // in Record-Route
	contact uint32                   // of its user; 0: unknown. Guarded by the table's lock
	tx      *stack.ServerTransaction // the INVITE's transaction; nil after a restart

	mu       sync.Mutex
	charge   *charging.Session
	invite   *sip.Request // as received; until the answer
	dialog   *sip.ProxyDialog
	further  []*sip.ProxyDialog // with other callees that answered too
	ended    bool
	hungUp   bool         // a BYE has reached the other party, which accepted it
	released *sip.Refusal // the reason, if it was released from here
	expiry   *time.Timer  // fires at the end of the session timer (RFC 4028), or of the longest possible call
	unheard  *time.Timer  // fires if no ACK comes
	length   time.Duration
	until    time.Time
}

const (
	longestCall = 24 * time.Hour
	// lateRefresh is how long after its end a session is taken for dead: the parties give it up before (RFC 4028 §10), and a refresh at
	// the last moment may still be on its way.
	lateRefresh = 5 * time.Second
	// lateBye lets a 2xx of a call that has failed reach the caller before the BYE that releases it.
	lateBye = 500 * time.Millisecond
	// ackTime is how long the ACK of an answer may take: as long as a handset repeats its 200 (64*T1 of TS 24.229 §7.7). A caller that
	// has not heard of the answer by then, because its P-CSCF was restarted, never will, and does not hang up either.
	ackTime = 128 * time.Second
)

// Charge gives the call its charging session; it reports false if the call has ended already.
func (c *Call) Charge(session *charging.Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.charge = session

	return !c.ended
}

// rings reports whether the call is not answered yet.
func (c *Call) rings() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.invite != nil
}

// Answered makes the dialog of the first 2xx and begins the count. A 2xx for a call that has failed, or was released from here while it
// rang, goes upstream all the same (RFC 3261 §16.7 step 5), but nobody pays for it: both sides get a BYE.
//
// by is the contact of the served user that sent it; nil if none did. The first one is charged.
func (c *Call) Answered(r *sip.Response, by *registration.Binding) {
	if by != nil && c.rings() {
		c.bind(c.table.heir(c.Public, by))
	}

	c.answered(r, time.Now())
	c.verify()
}

func (c *Call) answered(r *sip.Response, at time.Time) {
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

			c.table.log.Warn("a call was answered after it had failed, and is released", "impu", c.Public)
			time.AfterFunc(lateBye, func() { c.hangUp(dialog, reason) })
		}

		return
	}

	if err != nil {
		c.table.log.Warn("the call cannot be released from here if its credit ends", "impu", c.Public, "cause", err)
	}

	c.dialog, c.invite = dialog, nil

	c.table.log.Info("call begun", "case", c.Side.String(), "impu", c.Public, "call_id", r.CallID().Value())
	c.last(seconds(r, "Session-Expires"))
	c.unheard = time.AfterFunc(ackTime, func() { c.releaseAs(408, "the caller has not acknowledged the answer", charging.Unspecified) })

	if c.charge != nil {
		c.charge.Answered(at)
	}

	c.keep()
}

// records reports whether a Record-Route entry is the call's own.
func (c *Call) records(record sip.NameAddr) bool {
	u, err := sip.ParseURI(record.URI)
	return err == nil && tokenOf(u.User) == c.entry.token
}

// acknowledged handles the ACK of the answer.
func (c *Call) acknowledged() {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.unheard != nil {
		c.unheard.Stop()
	}
}

// last sets how long the session lasts if nobody refreshes it; 0: there is no session timer. No interval lets it last longer than a call
// without one. Called with the lock held.
func (c *Call) last(interval time.Duration) {
	c.length = longestCall
	if interval > 0 {
		c.length = min(interval+lateRefresh, longestCall)
	}

	c.until = time.Now().Add(c.length)
	if c.expiry != nil {
		c.expiry.Reset(c.length)
		return
	}

	c.expiry = time.AfterFunc(c.length, c.expired)
}

func (c *Call) expired() { c.Release("nobody refreshed the session", charging.Unspecified) }

// End ends a call after its BYE or without an answer, and ends its charging. It returns when the OCS has answered, or has failed to.
func (c *Call) End(cause charging.Cause) { c.end(cause)() }

// end ends the call; the function that it returns ends the charging, and waits for the OCS. A callee that answers from now on is too
// late.
func (c *Call) end(cause charging.Cause) (charged func()) {
	c.mu.Lock()
	ended, charge, further, dialog := c.ended, c.charge, slices.Clone(c.further), c.dialog
	c.ended = true
	c.stop()
	c.mu.Unlock()

	if !ended && dialog != nil {
		c.table.log.Info("call ended", "case", c.Side.String(), "impu", c.Public, "call_id", dialog.CallID)
	}

	if !ended {
		for _, dialog := range further {
			c.table.running.Go(func() { c.hangUp(dialog, errCallEnded) })
		}
	}

	return func() {
		if !ended && charge != nil {
			charge.End(cause)
		}

		c.table.forget(c)
	}
}

// Forget removes a call that was not charged and has not begun.
func (c *Call) Forget() { c.table.forget(c) }

// stop stops the call's timers. Called with the lock held.
func (c *Call) stop() {
	for _, timer := range []*time.Timer{c.expiry, c.unheard} {
		if timer != nil {
			timer.Stop()
		}
	}
}
