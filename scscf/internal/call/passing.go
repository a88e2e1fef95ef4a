package call

import (
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// Passes handles the request as it goes on: it records its number and, for a BYE, ends the call. The call ends here and now, whatever the
// answer, and the party that hung up does not wait for the OCS.
func (w *Within) Passes() {
	for _, m := range w.calls {
		if !m.of() {
			continue
		}

		m.observe(w.request)

		if w.request.Method == "BYE" && m.first() {
			cause := charging.Normal.Because(sip.Value(w.request, "Reason"))
			m.call.table.running.Go(m.call.end(cause))
		}
	}
}

// observe records the number of a request that passes.
func (m membership) observe(r *sip.Request) {
	c := m.call

	c.mu.Lock()
	defer c.mu.Unlock()

	if m.dialog == nil || c.ended {
		return
	}

	m.dialog.Observe(m.from, r)
	c.keep()
}

// Answered handles a response to the request: a 2xx changes its dialogs (RFC 3261 §12.2.1.2), and sets how long the session lasts (RFC
// 4028 §8.2).
func (w *Within) Answered(r *sip.Response) {
	if !r.IsSuccess() {
		return
	}

	for _, m := range w.calls {
		switch refreshes := w.request.IsInvite() || w.request.Method == "UPDATE"; {
		case refreshes && m.of():
			m.refreshed(w.request, r)
		case w.request.Method == "BYE" && m.dialog != nil && m.further:
			m.furtherEnded(w.request)
		case w.request.Method == "BYE" && m.first():
			m.ended(w.request)
		}
	}
}

func (m membership) refreshed(request *sip.Request, r *sip.Response) {
	c := m.call

	c.mu.Lock()
	defer c.mu.Unlock()

	if m.dialog == nil || c.ended {
		return
	}

	m.dialog.Answered(m.from, request, r)

	if !m.further {
		c.last(seconds(r, "Session-Expires"))
	}

	c.keep()
}

// ended records a BYE that was accepted, before its 2xx goes on: the next BYE may come right after that.
func (m membership) ended(bye *sip.Request) {
	c := m.call

	c.mu.Lock()
	defer c.mu.Unlock()

	if m.dialog != nil && c.released == nil && m.dialog.Leads(m.from, bye, c.table.stack.Own) {
		c.hungUp = true
	}
}

// furtherEnded removes the dialog with a further callee from the call. One that has not ended for certain ends with the call.
func (m membership) furtherEnded(bye *sip.Request) {
	c := m.call

	c.mu.Lock()
	defer c.mu.Unlock()

	if c.ended || !m.dialog.Leads(m.from, bye, c.table.stack.Own) {
		return
	}

	c.further = slices.DeleteFunc(c.further, func(d *sip.ProxyDialog) bool { return d == m.dialog })
	c.keep()
}

// Passed handles the outcome of the request. If it is a BYE, its call has ended already; a BYE that has not reached the other party, or
// was not meant to (Max-Forwards too small, an old CSeq, another Request-URI), would leave that party in a call that nobody pays for: the
// call is released from here (TS 24.229 §5.4.5.1.2).
func (w *Within) Passed(taken bool) {
	if w.request.Method != "BYE" {
		return
	}

	for _, m := range w.calls {
		if !m.first() || !m.goesOn(w.request, taken) {
			continue
		}

		c, dialog := m.call, m.dialog

		c.table.log.Warn("a BYE did not end its call, which is released", "impu", c.Public, "call_id", dialog.CallID, "taken", taken)
		c.table.outcomes.WithLabelValues(c.Side.String(), "BYE", "released after a BYE").Inc()
		c.table.running.Go(func() { c.hangUp(dialog, errHungUp) })
	}
}

var errHungUp = sip.Refuse(480, "the other side has hung up")

// goesOn reports whether a call may go on in spite of its BYE, and is not released already.
func (m membership) goesOn(bye *sip.Request, taken bool) bool {
	c := m.call

	c.mu.Lock()
	defer c.mu.Unlock()

	switch {
	case m.dialog == nil || c.released != nil || c.hungUp:
		return false
	case taken && m.dialog.Leads(m.from, bye, c.table.stack.Own):
		c.hungUp = true // a later one may get any answer
		return false
	default:
		c.released = errHungUp
		return true
	}
}
