package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// services is a request on its way out: the services of its user are applied to it, by the application servers that the filter
// criteria name, one after the other as they hand it back or turn out to be dead. Then it goes to its target.
type services struct {
	server  *Server
	request *request
	out     *sip.Request // as it goes on
	served  *served

	leg      *leg         // the present one
	odis     []string     // of all legs
	forgoing *sip.Refusal // why the request could not go on after a server was dead
}

// serve sends the request to the first application server behind place after that wants it, and on to its target when there is
// none (TS 24.229 §5.4.3.2 2, §5.4.3.3 3).
func (s *Server) serve(ctx context.Context, r *request, sv *served, after int) {
	if after < 0 {
		var refused *sip.Refusal
		if sv.timer, refused = s.Config.Timer.ask(r.out); refused != nil {
			s.refuse(r.tx, sv.side.String(), refused)
			return
		}
	}

	j := &services{server: s, request: r, out: r.out, served: sv}

	groups, err := j.next(ctx, after)
	if err != nil {
		s.refuse(r.tx, sv.side.String(), verdict.Of(err))
		return
	}

	s.Stack.Forward(r.tx, stack.Plan{
		Groups:     groups,
		OnResponse: j.responds,
		OnFailure:  func(b *stack.Branch, r *sip.Response) []stack.Branch { return j.fails(ctx, b, r) },
		Then:       j.ends,
	})
}

// next are the branches of the next leg: one server, or the target.
func (j *services) next(ctx context.Context, after int) ([][]stack.Branch, error) {
	s, sv := j.server, j.served
	j.leg = s.newLeg(sv)

	for {
		match, server, event := s.criterion(j.out, sv, after)

		action, some := j.leg.step(event)

		switch {
		case !some, match.Server == "" && action != RouteToTarget && action != RouteToUE:
			return nil, sip.Refuse(500, "the request cannot go on")
		case action == RouteToServer:
			branch := s.routeToServer(j.out, j.leg, server, match)
			j.odis = append(j.odis, j.leg.odi)

			return [][]stack.Branch{{branch}}, nil
		case action == RouteToTarget:
			return s.routeToTarget(ctx, j.request, sv)
		case action == RouteToUE:
			return s.routeToUE(ctx, j.request, sv)
		case action == NextCriterion:
			after = match.Index
		default: // RefuseRequest
			return nil, sip.Refusef(500, "application server %s cannot be addressed", match.Server)
		}
	}
}

// responds sees each response on its way back.
func (j *services) responds(b *stack.Branch, r *sip.Response) {
	s, sv := j.server, j.served

	if b != nil && sip.RestoreRecordRoute(r, b.Request) {
		s.Log.Warn("Record-Route of a response is not what it was sent", "user", sv.public, "call_id", r.CallID().Value())
	}

	if !j.leg.atServer() && s.goesAbroad(j.out, sv) {
		trust.Cross(r, trust.Foreign, trust.Core)
	}

	if r.StatusCode == 430 && j.leg.state() == TowardsUE { // never for an endpoint (RFC 5626 §11.5)
		s.become(j.out, sv.side.String(), r, sip.Refuse(480, "the P-CSCF does not reach the handset any more"))
	}

	if why := sv.call.withdrawn(); why != nil && !r.IsProvisional() && !r.IsSuccess() {
		s.become(j.out, sv.side.String(), r, why)
	}

	if j.forgoing != nil && !r.IsProvisional() && !r.IsSuccess() {
		s.become(j.out, sv.side.String(), r, j.forgoing)
	}

	s.explain(j.out, sv.side.String(), r)

	if r.IsSuccess() && j.out.IsInvite() {
		s.Config.Timer.answer(sv.timer, r)

		if sv.call != nil {
			if b != nil && sv.side == terminating && sv.call.rings() { // the first answer, which is the one that is charged
				if contact := branchTo(sv.user, b.Label); contact != nil {
					s.bind(sv.call, s.heir(sv.public, contact))
				}
			}

			sv.call.answered(r, time.Now())
			s.verify(sv.call)
		}
	}

	if sv.call != nil {
		sv.call.towardsCaller(r)
	}
}

// fails finds another way for a branch that ended without success.
func (j *services) fails(ctx context.Context, b *stack.Branch, r *sip.Response) []stack.Branch {
	s, sv := j.server, j.served

	event, some := j.failure(b, r)
	if !some {
		return nil
	}

	action, some := j.leg.step(event)

	if event == ServerDead && j.leg.state() != AtLiveServer {
		s.outcomes.WithLabelValues(sv.side.String(), label.Method(string(j.out.Method)), "server dead").Inc()
		s.Log.Warn("application server failed",
			"server", sv.servers[len(sv.servers)-1], "status", r.StatusCode, "user", sv.public, "continues", action == NextCriterion && some)
	}

	switch {
	case !some:
		return nil
	case action == NextCriterion:
		groups, err := j.next(ctx, j.leg.place)
		if err != nil {
			j.forgoing = verdict.Of(err)
			return nil
		}

		return slices.Concat(groups...) // of several contacts all ring: the time for one after the other went to the server
	case action == BreakOut:
		branch, leaves := s.breakout(j.out)
		if !leaves {
			return nil
		}

		if sv.call != nil || recorded(j.out) {
			sip.AddRecordRoute(branch.Request, s.recordRoute(sv, j.out))
		}

		return []stack.Branch{branch}
	case action == EndContact:
		if contact := branchTo(sv.user, b.Label); contact != nil {
			s.Registrations.FlowFailed(sv.public, contact)
		}

		return nil
	default:
		return nil
	}
}

// failure classifies the end of a branch without success; false: its answer is the answer. Default handling stands in for a server
// that is dead (TS 24.229 §5.4.3.2, §5.4.3.3): no response, 408 or 5xx. One that has said 100 is alive: its 500 or 503 is an answer,
// often that of the other end.
func (j *services) failure(b *stack.Branch, r *sip.Response) (LegEvent, bool) {
	failed := stack.Local(r) || r.StatusCode == 408 || r.StatusCode/100 == 5

	switch {
	case j.leg.atServer() && failed && b.Provisional:
		return ServerFailed, true
	case j.leg.atServer():
		return ServerDead, failed
	case j.served.side == terminating:
		return FlowFailed, r.StatusCode == 430
	case !nobody(r):
		return 0, false
	}

	if _, leaves := j.server.breakout(j.out); !leaves {
		return NoBreakout, true
	}

	return NobodyHere, true
}

// ends settles what was begun, when the final response has gone upstream.
func (j *services) ends(final *sip.Response) {
	s, sv := j.server, j.served

	s.atServers.forget(j.odis...)
	s.outcomes.WithLabelValues(sv.side.String(), label.Method(string(j.out.Method)), label.Status(final.StatusCode)).Inc()

	s.settle(sv, final)
}

// routeToUE asks for credit and lists the branches to the contacts of the called user.
func (s *Server) routeToUE(ctx context.Context, r *request, sv *served) ([][]stack.Branch, error) {
	groups, err := contacts(r.out, sv.user)
	if err != nil {
		return nil, err
	}

	return s.charged(ctx, r, sv, groups)
}

// routeToTarget asks for credit and is the branch that leads to who is called.
func (s *Server) routeToTarget(ctx context.Context, r *request, sv *served) ([][]stack.Branch, error) {
	s.translate(ctx, r.out, sv.number())

	branch, err := s.towards(ctx, r.out)
	if err != nil {
		return nil, err
	}

	return s.charged(ctx, r, sv, [][]stack.Branch{{branch}})
}

// charged asks for credit, and puts this S-CSCF into the route of what it asked for.
func (s *Server) charged(ctx context.Context, r *request, sv *served, groups [][]stack.Branch) ([][]stack.Branch, error) {
	out, role := r.out, sv.side.role()

	switch {
	case out.IsInvite():
		if err := s.begin(ctx, r, sv); err != nil {
			return nil, err
		}
	case s.Charging.ChargesEvent(role, string(out.Method), content(out)):
		event, refused := s.Charging.Event(ctx, describe(r, sv))
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

// begin makes the call, and asks the OCS before it goes on (TS 32.260 §5.3.2.1).
func (s *Server) begin(ctx context.Context, r *request, sv *served) error {
	c, err := s.newCall(r.tx, sv)
	if err != nil {
		return err
	}

	c.other = otherParty(r, sv)
	c.abroad = s.goesAbroad(r.out, sv)

	if sv.handset {
		s.bind(c, sentFrom(sv.user, r.tx.Request()))
		s.verify(c)
	}

	if s.Charging.Charges(sv.side.role()) {
		session, refused := s.Charging.Begin(ctx, describe(r, sv), c.release)
		if refused != nil {
			s.forget(c)
			return refused
		}

		if !c.charged(session) { // released before it began
			session.End(charging.Normal.Because(c.withdrawn().Reasons[0].String()))
			return c.withdrawn()
		}
	}

	sv.call = c

	return nil
}

// describe is what the OCS is told.
func describe(r *request, sv *served) charging.Call {
	c := charging.Call{
		Role: sv.side.role(), Method: r.method(), Event: sip.Value(r.out, "Event"), CallID: r.out.CallID().Value(), ICID: r.vector.ICID,
		OriginatingIOI: r.vector.OriginatingIOI, TerminatingIOI: r.vector.TerminatingIOI,
		Private: sv.user.Private, Calling: r.asserted, Called: called(r.out.Recipient), Requested: r.dialled,
		Expires: expires(r.out), Servers: sv.servers, Access: r.access,
	}

	// Who pays: by number where there is one, and by the identity that is served.
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

// number is the user's own, +E.164, or "".
func (sv *served) number() string {
	for _, uri := range append([]string{sv.public}, sv.user.Associated()...) {
		if number := ims.Number(uri); number != "" && number[0] == '+' {
			return number
		}
	}

	return ""
}

func isSIP(uri string) bool { return len(uri) > 4 && uri[:4] == "sip:" }

// recordRoute is the entry that keeps this S-CSCF in the route of a dialog.
func (s *Server) recordRoute(sv *served, out *sip.Request) string {
	switch {
	case sv.call != nil:
		return s.Endpoint.URI(sv.call.entry.user(sip.Callee))
	case recorded(out):
		return s.Endpoint.URI("")
	default:
		return ""
	}
}

// recorded tells requests other than INVITE that make dialogs.
func recorded(out *sip.Request) bool { return out.Method == "SUBSCRIBE" || out.Method == "REFER" }

// settle ends what was begun for a call that was not answered, or for a request outside a session.
func (s *Server) settle(sv *served, r *sip.Response) {
	reason := sip.Value(r, "Reason")

	if sv.call != nil && !r.IsSuccess() {
		s.end(sv.call, charging.Answered(r.StatusCode, reason))
	}

	if sv.event != nil {
		sv.event.End(r.StatusCode, reason)
	}
}

var errNoContact = errors.New("the user is not registered, and no application server serves in its place")
