package call

import (
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Within is a request within a dialog, read once: the calls that its Route names, their dialogs that it belongs to, and the party that
// sent it. A request that belongs to none of them passes, and changes nothing.
type Within struct {
	request *sip.Request
	calls   []membership
	wrong   bool // its Route is that of the other party than its tags
}

// membership is the relation of a request to a call that its Route names.
type membership struct {
	call    *Call
	dialog  *sip.ProxyDialog // of the request; nil: in none of the call's
	further bool             // the dialog is with a further callee behind a fork
	early   bool             // it belongs to the call, which is not answered yet, or whose dialog could not be made
	from    sip.Side         // the party that sent it
	known   bool             // whether from is known
}

// Within reads a request within a dialog. own are the entries of Route that were this S-CSCF's.
func (t *Table) Within(own []sip.NameAddr, r *sip.Request) *Within {
	w := &Within{request: r}

	for _, route := range own {
		u, err := sip.ParseURI(route.URI)
		if err != nil {
			continue
		}

		if c := t.find(tokenOf(u.User)); c != nil {
			m, fits := c.membership(u.User, r)
			w.calls, w.wrong = append(w.calls, m), w.wrong || !fits
		}
	}

	return w
}

// membership reads the relation of a request to the call that an entry of its Route names. It reports false if the entry is that of the
// other party than the tags, or of no party.
func (c *Call) membership(entry string, r *sip.Request) (m membership, fits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	m.call = c
	sender, marked := c.entry.side(entry)
	tagged := false // by its tags it belongs to the call

	for _, dialog := range append(slices.Clip(c.further), c.dialog) {
		if dialog == nil {
			continue
		}

		if from, has := dialog.Sender(r); has {
			m.dialog, m.further, m.from, tagged = dialog, dialog != c.dialog, from, true
			break
		}
	}

	if c.invite != nil && r.CallID().Value() == c.invite.CallID().Value() {
		caller, _ := c.invite.From().Params.Get("tag")
		if tag, _ := r.From().Params.Get("tag"); tag != caller {
			m.from = sip.Callee
		}

		// One of several early dialogs may be ended by BYE; the outcome of the call comes with its INVITE.
		tagged, m.early = true, r.Method != "BYE"
	}

	m.early = m.early || c.dialog == nil && c.invite == nil
	m.known = tagged || marked

	switch {
	case c.ended && !c.leaves(r): // it would begin or change the session too late
		m.dialog, m.early = nil, false
	case !tagged && marked:
		m.from = sender
	}

	unmarked := c.entry.marks == [2]string{} // the call of a process that had no marks

	return m, unmarked || marked && (!tagged || m.from == sender)
}

// leaves reports whether a request may go on in the dialog of a call that has ended.
func (c *Call) leaves(r *sip.Request) bool { return !r.IsInvite() && r.Method != "UPDATE" }

// OfOtherParty reports whether the request is one party's by its tags, and comes from the other by its Route: a BYE by the caller, or a
// friend of the caller's, in the name of a callee who would go on talking.
func (w *Within) OfOtherParty() bool { return w.wrong }

// NamesCall reports whether the Route of the request names a call.
func (w *Within) NamesCall() bool { return len(w.calls) > 0 }

// OfCall reports whether the request is in a dialog of a call.
func (w *Within) OfCall() bool { return slices.ContainsFunc(w.calls, membership.of) }

func (m membership) of() bool { return m.dialog != nil || m.early }

// first reports whether the request belongs to the dialog that the call is charged for.
func (m membership) first() bool { return m.of() && !m.further }

// Refreshes reports whether the request would refresh the session of a call (RFC 4028 §7.4).
func (w *Within) Refreshes() bool {
	return (w.request.IsInvite() || w.request.Method == "UPDATE") && slices.ContainsFunc(w.calls, membership.first)
}

// Rings reports whether the request belongs to a call that is not answered yet.
func (w *Within) Rings() bool {
	return slices.ContainsFunc(w.calls, func(m membership) bool { return m.first() && m.call.rings() })
}

// Abroad reports whether the request belongs to a call with another network.
func (w *Within) Abroad() bool {
	return slices.ContainsFunc(w.calls, func(m membership) bool { return m.call.Abroad })
}

// Payer returns who pays for the request if it is charged by itself: the served user of a call, if that user has sent it.
func (w *Within) Payer() (Party, bool) {
	for _, m := range w.calls {
		if m.known && (m.from == sip.Caller) == (m.call.Side == Originating) {
			return m.call.Party, true
		}
	}

	return Party{}, false
}

// LeadsToParty reports whether the Request-URI is the remote target of the party that the request is for.
func (w *Within) LeadsToParty() bool {
	return slices.ContainsFunc(w.calls, func(m membership) bool {
		if m.dialog == nil {
			return false
		}

		target, err := sip.ParseURI(m.dialog.Target(m.from.Other()))

		return err == nil && strings.EqualFold(target.Host, w.request.Recipient.Host) && target.Port == w.request.Recipient.Port
	})
}

// Acknowledged handles the request as the ACK of its call's answer.
func (w *Within) Acknowledged() {
	for _, m := range w.calls {
		if m.first() {
			m.call.acknowledged()
		}
	}
}
