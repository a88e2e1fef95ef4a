package session

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// withinDialog is TS 24.229 §5.4.3.2 and §5.4.3.3 for requests within a dialog: they follow their Route.
func (s *Server) withinDialog(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request, own []sip.NameAddr) {
	if len(own) == 0 && !sip.Has(out, "Route") && s.Stack.Own(out.Recipient) {
		s.refuse(tx, "dialog", sip.Refuse(481, "no such dialog here"))
		return
	}

	if s.misplaced(own, out) {
		s.refuse(tx, "dialog", sip.Refuse(403, "the Route is of the other side of the call than the tags"))
		return
	}

	calls := s.callsOf(own)
	within := slices.DeleteFunc(slices.Clone(calls), func(c *call) bool { return !c.of(out) })
	forks := forksOf(calls, out)
	refreshes := len(within) > 0 && (out.IsInvite() || out.Method == "UPDATE")

	if refused := sessionless(out, calls, within, forks); refused != nil {
		s.refuse(tx, "dialog", refused)
		return
	}

	var asked interval

	if refreshes {
		var refused *sip.Refusal
		if asked, refused = s.Config.Timer.ask(out); refused != nil {
			s.refuse(tx, "dialog", refused)
			return
		}
	}

	for _, c := range within {
		c.observe(out)

		if out.Method == "BYE" { // it ends here and now, whoever answers it, and whoever hung up does not wait for the OCS
			cause := charging.Normal.Because(sip.Value(out, "Reason"))
			s.running.Go(func() { s.end(c, cause) })
		}
	}

	for _, f := range forks {
		f.observe(out)
	}

	to, err := s.onwards(ctx, out, calls)
	if err != nil {
		s.refuse(tx, "dialog", verdict.Of(err))
		s.passed(within, out, false)

		return
	}

	event, refused := s.chargeWithin(ctx, out, own, calls)
	if refused != nil {
		s.refuse(tx, "dialog", refused)
		return
	}

	s.Stack.Forward(tx, stack.Plan{
		Groups: [][]stack.Branch{{{Request: out, To: to}}},
		OnResponse: func(_ *stack.Branch, r *sip.Response) {
			s.explain(out, "dialog", r)
			crossBorder(r, calls)

			for _, f := range forks {
				f.answered(out, r)
			}

			if refreshes && r.IsSuccess() {
				s.Config.Timer.answer(asked, r)

				for _, c := range within {
					c.refreshed(out, r)
				}
			}
		},
		Then: func(final *sip.Response) {
			s.outcomes.WithLabelValues("dialog", label.Method(string(out.Method)), label.Status(final.StatusCode)).Inc()
			s.passed(within, out, final.IsSuccess())

			if event != nil {
				event.End(final.StatusCode, sip.Value(final, "Reason"))
			}
		},
	})
}

// chargeWithin charges a request within a dialog by itself, if the configuration says so: whoever sent it pays. own are this S-CSCF's
// entries in its Route, calls those of them that are calls.
func (s *Server) chargeWithin(
	ctx context.Context,
	out *sip.Request,
	own []sip.NameAddr,
	calls []*call,
) (*charging.Event, *sip.Refusal) {
	if !s.Charging.ChargesWithin(originating.role(), string(out.Method), content(out)) {
		return nil, nil
	}

	payer, other := "", ""

	for _, c := range calls {
		if c.sent(out) {
			payer, other = c.public, c.other
		}
	}

	if len(calls) == 0 && len(own) > 0 { // a subscription, say
		payer = read(nil, out).caller
		other = out.To().Address.String()
	}

	user, found := s.Registrations.Lookup(payer)
	if payer == "" || !found {
		return nil, nil
	}

	asked := describe(read(nil, out), &served{side: originating, public: payer, user: user})
	if other != "" { // the Request-URI is the address of a handset, the user's own word
		asked.Called, asked.Requested = other, other
	}

	return s.Charging.Event(ctx, asked)
}

// sent reports whether a request within the call comes from the user that is served here.
func (c *call) sent(r *sip.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	dialog := c.dialogOf(r)
	if dialog == nil {
		return false
	}

	from, known := dialog.From(r)

	return known && (from == sip.Caller) == (c.side == originating)
}

// otherParty is who a call is with, as it is charged: the number that was called, or who called.
func otherParty(r *request, sv *served) string {
	if sv.side == originating {
		return r.out.Recipient.String()
	}

	return cmp.Or(r.caller, r.out.From().Address.String())
}

func content(r *sip.Request) charging.Content {
	return charging.Content{Type: sip.Value(r, "Content-Type"), Body: r.Body()}
}

// expires is the Expires header field in seconds; nil: none that can be read.
func expires(r *sip.Request) *uint32 {
	n, err := strconv.ParseUint(sip.Value(r, "Expires"), 10, 32)
	if err != nil {
		return nil
	}

	seconds := uint32(n)

	return &seconds
}

// sessionless refuses what begins or changes a session in a dialog that no call is behind: one that is over, or that a SUBSCRIBE or
// REFER made. Nobody would pay for what it sets up. within are the calls whose dialog it is in, forks the further dialogs.
func sessionless(out *sip.Request, calls, within []*call, forks []fork) *sip.Refusal {
	switch {
	case out.IsInvite() && len(within) == 0 && len(forks) == 0, out.Method == "UPDATE" && len(calls) == 0:
		return sip.Refuse(481, "no call is behind this dialog")
	case out.IsInvite() && slices.ContainsFunc(within, (*call).rings): // RFC 3261 §14.1: one INVITE at a time
		return sip.Refuse(491, "the call is not answered yet")
	default:
		return nil
	}
}

func (c *call) rings() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.invite != nil
}
