package session

import (
	"cmp"
	"context"
	"strconv"

	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// withinDialog serves requests within a dialog (TS 24.229 §5.4.3.2, §5.4.3.3): they follow their Route.
func (s *Server) withinDialog(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request, own []sip.NameAddr) {
	if len(own) == 0 && !sip.Has(out, "Route") && s.stack.Own(out.Recipient) {
		s.refuse(tx, "dialog", sip.Refuse(481, "no such dialog here"))
		return
	}

	within := s.calls.Within(own, out)

	if refused := unfit(out, within); refused != nil {
		s.refuse(tx, "dialog", refused)
		return
	}

	var asked call.Interval

	refreshes := within.Refreshes()
	if refreshes {
		var refused *sip.Refusal
		if asked, refused = s.config.Timer.Ask(out); refused != nil {
			s.refuse(tx, "dialog", refused)
			return
		}
	}

	within.Passes()

	to, err := s.routeWithin(ctx, out, within)
	if err != nil {
		s.refuse(tx, "dialog", verdict.Of(err))
		within.Passed(false)

		return
	}

	event, refused := s.chargeWithin(ctx, tx, out, own, within)
	if refused != nil {
		s.refuse(tx, "dialog", refused)
		within.Passed(false)

		return
	}

	if s.crossesBorder(out) {
		trust.Cross(out, trust.Core, trust.Foreign)
	}

	s.stack.Forward(tx, stack.Plan{
		Groups: [][]stack.Branch{{{Request: out, To: to}}},
		OnResponse: func(_ *stack.Branch, r *sip.Response) {
			s.explain(out, "dialog", r)
			crossBorder(r, within)

			if refreshes {
				s.config.Timer.Answer(asked, r)
			}

			within.Answered(r)
		},
		OnCancel: func(why []sip.Header) []sip.Header {
			if within.Abroad() {
				return trust.CrossCancel(why, trust.Core, trust.Foreign)
			}

			return why
		},
		Then: func(final *sip.Response) {
			s.outcomes.WithLabelValues("dialog", label.Method(string(out.Method)), label.Status(final.StatusCode)).Inc()
			within.Passed(final.IsSuccess())

			if event != nil {
				event.End(final.StatusCode, sip.Value(final, "Reason"))
			}
		},
	})
}

// hungUp ends the call of a BYE that this S-CSCF itself refuses, as it does for one that is refused further on: its sender has left the
// call, and does not pay for it any more. Both sides are released.
func (s *Server) hungUp(request *sip.Request, own []sip.NameAddr) {
	if request.Method != "BYE" {
		return
	}

	within := s.calls.Within(own, request)
	if within.OfOtherParty() {
		return
	}

	within.Passes()
	within.Passed(false)
}

// unfit refuses a request that comes from the wrong side, and one that begins or changes a session in a dialog without a call: one that
// is over, or that a SUBSCRIBE or REFER made. Nobody would pay for that session.
func unfit(out *sip.Request, within *call.Within) *sip.Refusal {
	switch begins := out.IsInvite() || out.Method == "UPDATE"; {
	case within.OfOtherParty():
		return sip.Refuse(403, ofOtherParty)
	case begins && !within.OfCall():
		return sip.Refuse(481, "no call is behind this dialog")
	case out.IsInvite() && within.Rings(): // RFC 3261 §14.1: one INVITE at a time
		return sip.Refuse(491, "the call is not answered yet")
	default:
		return nil
	}
}

// chargeWithin charges a request within a dialog by itself, if the configuration says so: its sender pays. In the dialog of a
// subscription, or of a call that is over, the sender is the identity that the P-CSCF asserts; without one, only a request from another
// network goes on. A request over the Service-Route of a registration is in no dialog, whatever its tags say.
func (s *Server) chargeWithin(
	ctx context.Context,
	tx *stack.ServerTransaction,
	out *sip.Request,
	own []sip.NameAddr,
	within *call.Within,
) (*charging.Event, *sip.Refusal) {
	if !s.charging.ChargesWithin(call.Originating.Role(), string(out.Method), content(out)) {
		return nil, nil
	}

	if route, _ := s.routeUserOf(own); route == ofHandset && !within.OfCall() {
		return nil, sip.Refuse(481, "the request is not on the route of a dialog")
	}

	r := parse(tx, out)
	payer, found := within.Payer()

	if !found && !within.NamesCall() && len(own) > 0 {
		if r.caller == "" && !s.fromAbroad(tx) {
			return nil, sip.Refuse(403, "nobody is asserted who would pay for this request")
		}

		payer = call.Party{Public: r.caller, Other: r.dialled}
	}

	if payer.Public == "" {
		return nil, nil
	}

	user, found := s.registrations.Lookup(payer.Public)
	if !found { // it may have been kept over a restart, and have no profile yet
		var err error
		if user, found, err = s.registrations.Registered(ctx, payer.Public); err != nil {
			return nil, later(payer.Public, err)
		}
	}

	if !found { // another S-CSCF's user, who pays there
		return nil, nil
	}

	asked := describe(r, &served{side: call.Originating, public: payer.Public, user: user})
	if payer.Other != "" { // the Request-URI is the address of a handset, which the user chose
		asked.Called, asked.Requested = payer.Other, payer.Other
	}

	return s.charging.Event(ctx, asked)
}

// otherParty returns the other party of a call for charging: the called number, or the caller.
func otherParty(r *request, sv *served) string {
	if sv.side == call.Originating {
		return r.out.Recipient.String()
	}

	return cmp.Or(r.caller, r.out.From().Address.String())
}

func content(r *sip.Request) charging.Content {
	return charging.Content{Type: sip.Value(r, "Content-Type"), Body: r.Body()}
}

// expires returns the Expires header field in seconds; nil if there is none that can be read.
func expires(r *sip.Request) *uint32 {
	n, err := strconv.ParseUint(sip.Value(r, "Expires"), 10, 32)
	if err != nil {
		return nil
	}

	seconds := uint32(n)

	return &seconds
}
