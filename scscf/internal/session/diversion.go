package session

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
)

// returned goes on with a request that an application server hands back (TS 24.229 §5.4.3.4). A server may hand it back more than once: a
// fork.
func (s *Server) returned(ctx context.Context, r *request, l *leg) {
	sv := *l.served

	if action, _ := l.step(RequestReturned); action != GoOn {
		s.refuse(r.tx, sv.side.String(), sip.Refuse(481, "the application server was taken for dead, and the request went on without it"))
		return
	}

	sip.Remove(r.out, "P-Served-User")

	if sv.side == call.Terminating && sv.elsewhere(r.requested, l.target) {
		s.divert(ctx, r, &sv)
		return
	}

	s.serve(ctx, r, &sv, l.place)
}

// elsewhere reports whether a target is a new one, and not another form of the served user: an alias is not a diversion.
func (s *served) elsewhere(target, before string) bool {
	if target == before {
		return false
	}

	canonical, err := ims.CanonicalIdentity(target)
	if err != nil {
		return true
	}

	if canonical == s.public {
		return false
	}

	other := s.user.Find(canonical)

	return other == nil || other.Profile != s.user.Public.Profile
}

// divert serves the user whose call an application server diverts as the caller of the new target (§5.4.3.3: session case
// ORIGINATING_CDIV): the criteria for that case are evaluated from the beginning, and the leg is charged to the user. Max-Forwards ends
// the loop of two users who divert to each other.
func (s *Server) divert(ctx context.Context, r *request, sv *served) {
	s.outcomes.WithLabelValues(sv.side.String(), label.Method(r.method()), "diverted").Inc()
	s.serve(ctx, r, &served{side: call.Originating, diverted: true, user: sv.user, public: sv.public, servers: sv.servers}, -1)
}
