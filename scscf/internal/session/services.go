package session

import (
	"context"
	"errors"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// services applies the services of a user to a request on its way out: it goes to the application servers of the filter criteria, one
// after the other as they hand it back or turn out to be dead, and then to its target.
type services struct {
	server  *Server
	request *request
	out     *sip.Request // as it is sent on
	served  *served

	leg      *leg         // the current one
	odis     []string     // of all legs
	forgoing *sip.Refusal // why the request could not go on after a server was dead
}

// serve sends the request to the first application server after this place that wants it, or to its target when there is none (TS 24.229
// §5.4.3.2 2, §5.4.3.3 3).
func (s *Server) serve(ctx context.Context, r *request, sv *served, after int) {
	if after < 0 {
		var refused *sip.Refusal
		if sv.interval, refused = s.config.Timer.Ask(r.out); refused != nil {
			s.refuse(r.tx, sv.side.String(), refused)
			return
		}
	}

	v := &services{server: s, request: r, out: r.out, served: sv}

	groups, err := v.next(ctx, after)
	if err != nil {
		s.refuse(r.tx, sv.side.String(), verdict.Of(err))
		return
	}

	s.stack.Forward(r.tx, stack.Plan{
		Groups:     groups,
		OnResponse: v.responds,
		OnFailure:  func(b *stack.Branch, r *sip.Response) []stack.Branch { return v.fails(ctx, b, r) },
		OnCancel:   v.cancels,
		Then:       v.ends,
	})
}

// next returns the branches of the next leg: one server, or the target.
func (v *services) next(ctx context.Context, after int) ([][]stack.Branch, error) {
	s, sv := v.server, v.served
	v.leg = s.newLeg(sv)

	for {
		match, server, event := s.criterion(v.out, sv, after)

		action, some := v.leg.step(event)

		switch {
		case !some, match.Server == "" && action != RouteToTarget && action != RouteToUE:
			return nil, sip.Refuse(500, "the request cannot go on")
		case action == RouteToServer:
			branch := s.routeToServer(v.out, v.leg, server, match)
			v.odis = append(v.odis, v.leg.odi)

			return [][]stack.Branch{{branch}}, nil
		case action == RouteToTarget:
			return s.routeToTarget(ctx, v.request, sv)
		case action == RouteToUE:
			return s.routeToUE(ctx, v.request, sv)
		case action == NextCriterion:
			after = match.Index
		default: // RefuseRequest
			return nil, sip.Refusef(500, "application server %s cannot be addressed", match.Server)
		}
	}
}

// responds handles each response on its way back.
func (v *services) responds(b *stack.Branch, r *sip.Response) {
	s, sv := v.server, v.served

	if b != nil && sip.RestoreRecordRoute(r, b.Request) {
		s.log.Warn("Record-Route of a response is not what it was sent", "impu", sv.public, "call_id", r.CallID().Value())
	}

	if !v.leg.atServer() && s.goesAbroad(v.out, sv) {
		trust.Cross(r, trust.Foreign, trust.Core)
	}

	if r.StatusCode == 430 && v.leg.state() == TowardsUE { // never for an endpoint (RFC 5626 §11.5)
		s.become(v.out, sv.side.String(), r, sip.Refuse(480, "the P-CSCF does not reach the handset any more"))
	}

	if why := sv.call.Withdrawn(); why != nil && !r.IsProvisional() && !r.IsSuccess() {
		s.become(v.out, sv.side.String(), r, why)
	}

	if v.forgoing != nil && !r.IsProvisional() && !r.IsSuccess() {
		s.become(v.out, sv.side.String(), r, v.forgoing)
	}

	s.explain(v.out, sv.side.String(), r)

	if r.IsSuccess() && v.out.IsInvite() {
		s.config.Timer.Answer(sv.interval, r)
	}

	if sv.call == nil {
		return
	}

	if r.IsSuccess() {
		sv.call.Answered(r, sv.contactOf(b))
	}

	sv.call.TowardsCaller(r)
}

// contactOf returns the contact of the called user that a branch went to; nil if it is not one of the user's.
func (sv *served) contactOf(b *stack.Branch) *registration.Binding {
	if b == nil || sv.side != call.Terminating {
		return nil
	}

	at := slices.IndexFunc(sv.user.Bindings, func(contact *registration.Binding) bool { return contact.Contact == b.Label })
	if at < 0 {
		return nil
	}

	return sv.user.Bindings[at]
}

// fails returns other branches for one that ended without success.
func (v *services) fails(ctx context.Context, b *stack.Branch, r *sip.Response) []stack.Branch {
	s, sv := v.server, v.served

	event, some := v.failure(b, r)
	if !some {
		return nil
	}

	action, some := v.leg.step(event)

	if event == ServerDead && v.leg.state() != AtLiveServer {
		s.outcomes.WithLabelValues(sv.side.String(), label.Method(string(v.out.Method)), "server dead").Inc()
		s.log.Warn("application server failed",
			"server", sv.servers[len(sv.servers)-1], "status", r.StatusCode, "impu", sv.public, "continues", action == NextCriterion && some)
	}

	switch {
	case !some:
		return nil
	case action == NextCriterion:
		groups, err := v.next(ctx, v.leg.place)
		if err != nil {
			v.forgoing = verdict.Of(err)
			return nil
		}

		return slices.Concat(groups...) // all contacts ring at once: the time for one after the other went to the server
	case action == BreakOut:
		branch, leaves := s.breakout(v.out)
		if !leaves {
			return nil
		}

		if sv.call != nil || recorded(v.out) {
			sip.AddRecordRoute(branch.Request, s.recordRoute(sv, v.out))
		}

		return []stack.Branch{branch}
	case action == EndContact:
		if contact := sv.contactOf(b); contact != nil {
			s.registrations.FlowFailed(sv.public, contact)
		}

		return nil
	default:
		return nil
	}
}

// failure classifies the end of a branch without success; false: its response stands. Default handling replaces a server that is dead (TS
// 24.229 §5.4.3.2, §5.4.3.3): no response, 408 or 5xx. One that has sent 100 is alive: its 500 or 503 is an answer, often that of the
// other end.
func (v *services) failure(b *stack.Branch, r *sip.Response) (LegEvent, bool) {
	failed := stack.Local(r) || r.StatusCode == 408 || r.StatusCode/100 == 5

	switch {
	case v.leg.atServer() && failed && b.Provisional:
		return ServerFailed, true
	case v.leg.atServer():
		return ServerDead, failed
	case v.served.side == call.Terminating:
		return FlowFailed, r.StatusCode == 430
	case !userUnknown(r):
		return 0, false
	}

	if _, leaves := v.server.breakout(v.out); !leaves {
		return NoBreakout, true
	}

	return NobodyHere, true
}

// cancels returns the header fields that the CANCEL has downstream: to a target abroad, only those that may cross the border.
func (v *services) cancels(why []sip.Header) []sip.Header {
	if !v.leg.atServer() && v.server.goesAbroad(v.out, v.served) {
		return trust.CrossCancel(why, trust.Core, trust.Foreign)
	}

	return why
}

// ends is called when the final response has gone upstream.
func (v *services) ends(final *sip.Response) {
	s, sv := v.server, v.served

	s.atServers.forget(v.odis...)
	s.outcomes.WithLabelValues(sv.side.String(), label.Method(string(v.out.Method)), label.Status(final.StatusCode)).Inc()

	s.endService(sv, final)
}

// routeToUE asks for credit and returns the branches to the contacts of the called user.
func (s *Server) routeToUE(ctx context.Context, r *request, sv *served) ([][]stack.Branch, error) {
	groups, err := contacts(r.out, sv.user, s.callsBack(r))
	if err != nil {
		return nil, err
	}

	return s.charged(ctx, r, sv, groups)
}

// routeToTarget asks for credit and returns the branch to the called party.
func (s *Server) routeToTarget(ctx context.Context, r *request, sv *served) ([][]stack.Branch, error) {
	if refusal := s.staysHere(r.out.Recipient); refusal != nil {
		return nil, refusal
	}

	r.out.Recipient = s.numbers.Translate(ctx, r.out.Recipient, sv.number())

	branch, err := s.routeOnwards(ctx, r.out)
	if err != nil {
		return nil, err
	}

	return s.charged(ctx, r, sv, [][]stack.Branch{{branch}})
}

// charged asks for credit, and puts this S-CSCF into the route of a request that makes a dialog.
func (s *Server) charged(ctx context.Context, r *request, sv *served, groups [][]stack.Branch) ([][]stack.Branch, error) {
	out, role := r.out, sv.side.Role()

	switch {
	case out.IsInvite():
		if err := s.beginCall(ctx, r, sv); err != nil {
			return nil, err
		}
	case s.charging.ChargesEvent(role, string(out.Method), content(out)):
		event, refused := s.charging.Event(ctx, describe(r, sv))
		if refused != nil {
			return nil, refused
		}

		sv.event = event
	}

	if record := s.recordRoute(sv, out); record != "" {
		for _, group := range groups {
			for _, b := range group {
				sip.AddRecordRoute(b.Request, record)
			}
		}
	}

	return groups, nil
}

// beginCall adds the call of an INVITE, and asks the OCS before it goes on (TS 32.260 §5.3.2.1).
func (s *Server) beginCall(ctx context.Context, r *request, sv *served) error {
	c, err := s.calls.New(r.tx, call.Party{
		Side: sv.side, Public: sv.public, Other: otherParty(r, sv), Abroad: s.goesAbroad(r.out, sv),
	})
	if err != nil {
		return err
	}

	if sv.handset {
		c.SentFrom(sv.user, r.recorded, r.contacts)
	}

	if s.charging.Charges(sv.side.Role()) {
		session, refused := s.charging.Begin(ctx, describe(r, sv), c.Release)
		if refused != nil {
			c.Forget()
			return refused
		}

		if !c.Charge(session) { // released before it began
			session.End(charging.Normal.Because(c.Withdrawn().Reasons[0].String()))
			return c.Withdrawn()
		}
	}

	sv.call = c

	return nil
}

// describe returns the description of a request for the OCS.
func describe(r *request, sv *served) charging.Call {
	c := charging.Call{
		Role: sv.side.Role(), Method: r.method(), Event: sip.Value(r.out, "Event"), CallID: r.out.CallID().Value(), ICID: r.vector.ICID,
		OriginatingIOI: r.vector.OriginatingIOI, TerminatingIOI: r.vector.TerminatingIOI,
		Private: sv.user.Private, Calling: r.asserted, Called: called(r.out.Recipient), Requested: r.dialled,
		Expires: expires(r.out), Servers: sv.servers, Access: r.access,
	}

	// The payer: by number if there is one, and by the served identity.
	if number := sv.number(); number != "" {
		c.Subscriber = append(c.Subscriber, ro.SubscriptionID{Type: ro.E164, Data: number[1:]})
	}

	uri := sv.public
	if !isSIP(uri) {
		if at := slices.IndexFunc(sv.user.Associated(), isSIP); at >= 0 {
			uri = sv.user.Associated()[at]
		}
	}

	if isSIP(uri) {
		c.Subscriber = append(c.Subscriber, ro.SubscriptionID{Type: ro.SIPURI, Data: uri})
	}

	return c
}

// number returns the user's own number, +E.164, or "".
func (sv *served) number() string {
	for _, uri := range append([]string{sv.public}, sv.user.Associated()...) {
		if number := ims.Number(uri); number != "" && number[0] == '+' {
			return number
		}
	}

	return ""
}

func isSIP(uri string) bool { return len(uri) > 4 && uri[:4] == "sip:" }

// recordRoute returns the entry that keeps this S-CSCF in the route of a dialog.
func (s *Server) recordRoute(sv *served, out *sip.Request) string {
	switch {
	case sv.call != nil:
		return sv.call.RecordRoute()
	case recorded(out):
		return s.endpoint.URI("")
	default:
		return ""
	}
}

// recorded reports whether a request other than INVITE makes a dialog.
func recorded(out *sip.Request) bool { return out.Method == "SUBSCRIBE" || out.Method == "REFER" }

// endService ends a call that was not answered, and the charging of a request outside a session.
func (s *Server) endService(sv *served, r *sip.Response) {
	reason := sip.Value(r, "Reason")

	if sv.call != nil && !r.IsSuccess() {
		sv.call.End(charging.Answered(r.StatusCode, reason))
	}

	if sv.event != nil {
		sv.event.End(r.StatusCode, reason)
	}
}

var errNoContact = errors.New("the user is not registered, and no application server serves in its place")
