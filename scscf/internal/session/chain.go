package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
)

// visit is a request that is away at an application server. Its original dialog identifier stands in the Route entry that the
// server finds behind its own (TS 24.229 §5.4.3.4), so that the request is known when it comes back.
type visit struct {
	served *served
	at     int    // place in the chain
	target string // Request-URI as it left
	method string
}

// visits lasts no longer than the transactions of the requests that are away.
type visits struct {
	mu   sync.Mutex
	open map[string]*visit
}

func (v *visits) leave(away *visit) (odi string) {
	odi = "odi-" + rand.Text()

	v.mu.Lock()
	defer v.mu.Unlock()

	v.open[odi] = away

	return odi
}

func (v *visits) returned(odi string) (*visit, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()

	away, found := v.open[odi]

	return away, found
}

func (v *visits) forget(odi string) {
	v.mu.Lock()
	defer v.mu.Unlock()

	delete(v.open, odi)
}

// sessionCase is which of the cases of TS 29.228 annex F a request is in.
func (s *served) sessionCase() ifc.SessionCase {
	registered := s.user.State == registrar.Registered

	switch {
	case s.side == originating && registered:
		return ifc.Originating
	case s.side == originating:
		return ifc.OriginatingUnregistered
	case registered:
		return ifc.TerminatingRegistered
	default:
		return ifc.TerminatingUnregistered
	}
}

// filter sends the request to the first application server behind place after that wants it, and on to its target when there is
// none (TS 24.229 §5.4.3.2 2, §5.4.3.3 3).
func (s *Server) filter(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served, after int) {
	registered := sv.user.State == registrar.Registered

	match, found := sv.user.Public.Profile.Chain.Next(&view{out, sv.sessionCase()}, after, registered)
	if !found {
		s.proceed(ctx, tx, out, sv)
		return
	}

	branch, odi, err := s.toServer(out, sv, match)
	if err != nil {
		s.Log.Error("an application server cannot be addressed", "server", match.Server, "user", sv.public, "error", err)

		if match.Continue {
			s.filter(ctx, tx, out, sv, match.Index)
		} else {
			s.refuse(tx, sv.side.String(), 500, sipReason(500, "application server "+match.Server+" cannot be addressed"))
		}

		return
	}

	defer s.visits.forget(odi)

	instead := false // the server is dead, and the call goes on without it
	wait := &waiter{}

	response := s.Stack.Forward(ctx, tx, sip.Plan{
		Groups: [][]sip.Branch{{branch}},
		OnResponse: func(_ *sip.Branch, r *sip.Response) {
			wait.responded(r)
			s.outgoing(sv, r)
		},
		OnFailure: func(_ *sip.Branch, r *sip.Response) []sip.Branch {
			if !dead(r) || wait.provisional {
				return nil
			}

			s.outcomes.WithLabelValues(sv.side.String(), string(out.Method), "server dead").Inc()
			s.Log.Warn("application server failed", "server", match.Server, "status", r.StatusCode, "user", sv.public, "continues", match.Continue)

			if !match.Continue {
				return nil
			}

			next, err := s.without(ctx, tx, out, sv, match.Index)
			if err != nil {
				return nil
			}

			instead = true

			return next
		},
	})
	s.outcomes.WithLabelValues(sv.side.String(), string(out.Method), fmt.Sprint(response.StatusCode)).Inc()

	if instead {
		s.settle(sv, response)
	}
}

type waiter struct{ provisional bool }

func (w *waiter) responded(r *sip.Response) {
	w.provisional = w.provisional || r.StatusCode > 100 && r.IsProvisional()
}

// dead tells an application server that default handling stands in for: no answer, or a 5xx before anything else (TS 24.229
// §5.4.3.2 2).
func dead(r *sip.Response) bool { return sip.Local(r) || r.StatusCode/100 == 5 }

// toServer puts the application server and, behind it, this S-CSCF with the original dialog identifier on top of Route.
func (s *Server) toServer(out *sip.Request, sv *served, match ifc.Match) (sip.Branch, string, error) {
	server, err := sip.ParseURI(match.Server)
	if err != nil {
		return sip.Branch{}, "", err
	}

	if !server.UriParams.Has("lr") {
		server.UriParams.Add("lr", "")
	}

	r := sip.Copy(out)
	odi := s.visits.leave(&visit{served: sv, at: match.Index, target: out.Recipient.String(), method: string(out.Method)})

	sip.PushRoute(r, s.Endpoint.URI(odi))
	sip.PushRoute(r, server.String())
	sip.Set(r, "P-Served-User", fmt.Sprintf("<%s>;sescase=%s;regstate=%s", sv.public, sescase(sv.side), regstate(sv.user)))
	sv.servers = append(sv.servers, match.Server)

	return sip.Branch{Request: r, Timeout: serverTimeout, Label: match.Server}, odi, nil
}

// sescase and regstate are those of P-Served-User (RFC 5502 §6).
func sescase(s side) string {
	if s == originating {
		return "orig"
	}

	return "term"
}

func regstate(u registrar.User) string {
	if u.State == registrar.Registered {
		return "reg"
	}

	return "unreg"
}

// without is what a dead application server leaves: the next one that wants the request, or its target.
func (s *Server) without(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served, after int) ([]sip.Branch, error) {
	registered := sv.user.State == registrar.Registered

	if match, found := sv.user.Public.Profile.Chain.Next(&view{out, sv.sessionCase()}, after, registered); found {
		branch, _, err := s.toServer(out, sv, match)
		return []sip.Branch{branch}, err
	}

	groups, err := s.targets(ctx, tx, out, sv)
	if err != nil {
		return nil, err
	}

	return groups[0], nil
}

// resume goes on with a request that an application server hands back (§5.4.3.4).
func (s *Server) resume(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, v *visit) {
	sv := *v.served // an AS may hand a request back more than once: a fork
	sip.Remove(out, "P-Served-User")

	if sv.side == terminating && out.Recipient.String() != v.target { // §5.4.3.3: it goes to somebody else now
		s.retarget(ctx, tx, out)
		return
	}

	s.filter(ctx, tx, out, &sv, v.at)
}

// retarget sends a request on whose target an application server has changed.
func (s *Server) retarget(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request) {
	s.Stack.Forward(ctx, tx, sip.Plan{Groups: [][]sip.Branch{{s.towards(out)}}})
}
