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
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// journey is a request on its way out: to the application servers that its user's criteria name, one after the other as they
// hand it back or turn out to be dead, and then to its target.
type journey struct {
	server *Server
	tx     *sip.ServerTransaction
	out    *sip.Request
	served *served

	odis       []string     // of the visits to servers
	place      int          // in the chain, of the server that has it
	away       bool         // it is with a server, not on its way to the target
	handling   bool         // of that server: the session goes on without it
	brokenOut  bool         // the I-CSCF knows nobody by the number, and it left the network
	forgoing   *sip.Refusal // why the request could not go on after a server was dead
	begun      bool         // it was charged, if it is
	registered bool
}

// serve sends the request to the first application server behind place after that wants it, and on to its target when there is
// none (TS 24.229 §5.4.3.2 2, §5.4.3.3 3).
func (s *Server) serve(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served, after int) {
	if after < 0 {
		var refused *sip.Refusal
		if sv.timer, refused = s.Config.Timer.ask(out); refused != nil {
			s.refuse(tx, sv.side.String(), refused)
			return
		}
	}

	j := &journey{server: s, tx: tx, out: out, served: sv, registered: sv.registered()}

	groups, err := j.next(ctx, after)
	if err != nil {
		s.refuse(tx, sv.side.String(), verdict.Of(err))
		return
	}

	s.Stack.Forward(tx, sip.Plan{
		Groups:     groups,
		OnResponse: j.responds,
		OnFailure:  func(b *sip.Branch, r *sip.Response) []sip.Branch { return j.fails(ctx, b, r) },
		Then:       j.ends,
	})
}

// next are the branches of the next step: one server, or the target.
func (j *journey) next(ctx context.Context, after int) ([][]sip.Branch, error) {
	s, sv := j.server, j.served

	for {
		match, found := sv.user.Public.Profile.Chain.Next(&view{j.out, sv.sessionCase()}, after, j.registered)
		if !found {
			j.away, j.begun = false, true
			return s.targets(ctx, j.tx, j.out, sv)
		}

		branch, odi, err := s.toServer(j.out, sv, match)
		if err == nil {
			j.odis = append(j.odis, odi)
			j.away, j.place, j.handling = true, match.Index, match.Continue

			return [][]sip.Branch{{branch}}, nil
		}

		s.Log.Error("an application server cannot be addressed", "server", match.Server, "user", sv.public, "error", err)

		if !match.Continue {
			return nil, sip.Refusef(500, "application server %s cannot be addressed", match.Server)
		}

		after = match.Index
	}
}

// responds sees each response on its way back.
func (j *journey) responds(b *sip.Branch, r *sip.Response) {
	s, sv := j.server, j.served

	if b != nil && sip.RestoreRecordRoute(r, b.Request) {
		s.Log.Warn("Record-Route of a response is not what it was sent", "user", sv.public, "call_id", r.CallID().Value())
	}

	if !j.away && s.goesAbroad(j.out, sv) {
		trust.Cross(r, trust.Foreign, trust.Core)
	}

	if r.StatusCode == 430 && sv.side == terminating && !j.away { // never for an endpoint (RFC 5626 §11.5)
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
func (j *journey) fails(ctx context.Context, b *sip.Branch, r *sip.Response) []sip.Branch {
	s, sv := j.server, j.served

	switch {
	case j.away && j.dead(b, r):
		s.outcomes.WithLabelValues(sv.side.String(), label.Method(string(j.out.Method)), "server dead").Inc()
		s.Log.Warn(
			"application server failed",
			"server",
			sv.servers[len(sv.servers)-1],
			"status",
			r.StatusCode,
			"user",
			sv.public,
			"continues",
			j.handling,
		)

		if !j.handling {
			return nil
		}

		groups, err := j.next(ctx, j.place)
		if err != nil {
			j.forgoing = verdict.Of(err)
			return nil
		}

		return slices.Concat(groups...) // of several contacts all ring: the time for one after the other went to the server
	case !j.away && sv.side == originating && !j.brokenOut && nobody(r):
		branch, leaves := s.breakout(j.out)
		if !leaves {
			return nil
		}

		j.brokenOut = true
		if sv.call != nil || recorded(j.out) {
			sip.AddRecordRoute(branch.Request, s.recordRoute(sv, j.out))
		}

		return []sip.Branch{branch}
	case !j.away && sv.side == terminating && r.StatusCode == 430:
		if contact := branchTo(sv.user, b.Label); contact != nil {
			s.Registrations.FlowFailed(sv.public, contact)
		}

		return nil
	default:
		return nil
	}
}

// ends settles what was begun, when the final response has gone upstream.
func (j *journey) ends(final *sip.Response) {
	s, sv := j.server, j.served

	s.visits.forget(j.odis...)
	s.outcomes.WithLabelValues(sv.side.String(), label.Method(string(j.out.Method)), label.Status(final.StatusCode)).Inc()

	if j.begun {
		s.settle(sv, final)
	}
}

// dead tells an application server that default handling stands in for (TS 24.229 §5.4.3.2, §5.4.3.3): no response, 408 or 5xx,
// without any provisional response before it, and without the request having come back with its original dialog identifier. One
// that has said 100, or has handed the request back, is alive: its 500 or 503 is an answer, often that of the other end.
func (j *journey) dead(b *sip.Branch, r *sip.Response) bool {
	failed := sip.Local(r) || r.StatusCode == 408 || r.StatusCode/100 == 5

	return failed && !b.Provisional && j.server.visits.giveUp(j.odis[len(j.odis)-1])
}

// targets asks for credit and lists the branches that lead to the target.
func (s *Server) targets(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served) ([][]sip.Branch, error) {
	var groups [][]sip.Branch

	var err error

	if sv.side == terminating {
		if groups, err = contacts(out, sv.user); err != nil {
			return nil, err
		}
	} else {
		s.translate(ctx, out, sv.number())

		branch, err := s.towards(ctx, out)
		if err != nil {
			return nil, err
		}

		groups = [][]sip.Branch{{branch}}
	}

	role := sv.side.role()

	switch {
	case out.IsInvite():
		if err := s.begin(ctx, tx, out, sv); err != nil {
			return nil, err
		}
	case s.Charging.ChargesEvent(role, string(out.Method), content(out)):
		event, refused := s.Charging.Event(ctx, s.describe(out, sv))
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
func (s *Server) begin(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served) error {
	c, err := s.newCall(tx, sv)
	if err != nil {
		return err
	}

	c.other = otherParty(out, sv)
	c.abroad = s.goesAbroad(out, sv)

	if sv.handset {
		s.bind(c, sentFrom(sv.user, tx.Request()))
		s.verify(c)
	}

	if s.Charging.Charges(sv.side.role()) {
		session, refused := s.Charging.Begin(ctx, s.describe(out, sv), c.release)
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
func (s *Server) describe(out *sip.Request, sv *served) charging.Call {
	vector := ims.ParseChargingVector(sip.Value(out, "P-Charging-Vector"))
	c := charging.Call{
		Role: sv.side.role(), Method: string(out.Method), Event: sip.Value(out, "Event"), CallID: out.CallID().Value(), ICID: vector.ICID,
		OriginatingIOI: vector.OriginatingIOI, TerminatingIOI: vector.TerminatingIOI,
		Private: sv.user.Private, Called: called(out.Recipient), Requested: out.To().Address.String(),
		Expires: expires(out), Servers: sv.servers, Access: sip.Value(out, "P-Access-Network-Info"),
	}

	for _, value := range sip.Values(out, "P-Asserted-Identity") {
		if a, err := sip.ParseNameAddr(value); err == nil {
			c.Calling = append(c.Calling, a.URI)
		}
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
