package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// leg is one step of a request's way: to one application server, or on to its target. While the request is at a server, its original
// dialog identifier stands in the Route entry behind the server's own (TS 24.229 §5.4.3.4), so that it is recognised when it comes back.
type leg struct {
	server *Server
	served *served

	place  int    // of the criterion, in the chain
	target string // Request-URI when it left
	odi    string // original dialog identifier; "": the request is not at a server

	mu      sync.Mutex // the request comes back in another transaction
	machine fsm.Instance[LegState, LegEvent, LegAction]
}

func (s *Server) newLeg(sv *served) *leg {
	return &leg{server: s, served: sv, machine: s.legs.Start(Evaluating)}
}

// step takes one step of the machine. Each row has one action at most; false: there is nothing to do.
func (l *leg) step(event LegEvent) (LegAction, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	before := l.machine.State()
	actions, ok := l.machine.Step(event)

	switch s := l.server; {
	case !ok:
		s.unexpected.Inc()
		s.log.Error("something happened to a request that cannot happen there", "impu", l.served.public, "state", before, "event", event)
	case s.log.Enabled(context.Background(), slog.LevelDebug):
		s.log.Debug("leg", "impu", l.served.public, "state", before, "event", event, "next", l.machine.State(), "actions", fmt.Sprint(actions))
	}

	if len(actions) == 0 {
		return 0, false
	}

	return actions[0], true
}

func (l *leg) state() LegState {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.machine.State()
}

// atServer reports whether the request is at an application server, not on its way to the target.
func (l *leg) atServer() bool {
	switch l.state() {
	case AtServer, AtRequiredServer, AtLiveServer:
		return true
	default:
		return false
	}
}

// atServers are the legs of requests that are at application servers, by their original dialog identifiers. They last no longer than the
// transactions of the requests.
type atServers struct {
	mu   sync.Mutex
	legs map[string]*leg
}

func (a *atServers) add(l *leg) {
	l.odi = "odi-" + rand.Text()

	a.mu.Lock()
	defer a.mu.Unlock()

	a.legs[l.odi] = l
}

func (a *atServers) find(odi string) *leg {
	a.mu.Lock()
	defer a.mu.Unlock()

	return a.legs[odi]
}

func (a *atServers) forget(odis ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()

	for _, odi := range odis {
		delete(a.legs, odi)
	}
}

// sessionCase returns the session case of a request (TS 29.228 annex F).
func (s *served) sessionCase() ifc.SessionCase {
	registered := s.registered()

	switch {
	case s.diverted:
		return ifc.OriginatingCDIV
	case s.side == call.Originating && registered:
		return ifc.Originating
	case s.side == call.Originating:
		return ifc.OriginatingUnregistered
	case registered:
		return ifc.TerminatingRegistered
	default:
		return ifc.TerminatingUnregistered
	}
}

func (s *served) registered() bool { return s.user.State == registration.Registered }

// servedUser returns P-Served-User, by which an application server knows whom it serves and in which session case (RFC 5502, RFC 8498).
func (s *served) servedUser() string {
	u := ims.ServedUser{NameAddr: sip.NameAddr{URI: s.public}, Unregistered: !s.registered()}

	switch {
	case s.diverted:
		u.Case = ims.ServedOriginatingCDIV
	case s.side == call.Originating:
		u.Case = ims.ServedOriginating
	default:
		u.Case = ims.ServedTerminating
	}

	return u.String()
}

// criterion returns the next matching criterion of a user for a request, and its event for the leg.
func (s *Server) criterion(out *sip.Request, sv *served, after int) (match ifc.Match, server sip.Uri, event LegEvent) {
	match, found := sv.user.Public.Profile.Chain.Next(&view{out, sv.sessionCase()}, after, sv.registered())

	switch {
	case !found && sv.side == call.Originating:
		return match, server, NoCriterionOriginating
	case !found:
		return match, server, NoCriterionTerminating
	}

	server, err := sip.ParseURI(match.Server)
	if err != nil {
		s.log.Error("an application server cannot be addressed", "server", match.Server, "impu", sv.public, "cause", err)
	}

	switch {
	case err != nil && match.Continue:
		return match, server, ServerUnusable
	case err != nil:
		return match, server, RequiredServerUnusable
	case match.Continue:
		return match, server, CriterionMatched
	default:
		return match, server, RequiredCriterionMatched
	}
}

// routeToServer puts the application server on top of Route and, behind it, this S-CSCF with the original dialog identifier.
func (s *Server) routeToServer(out *sip.Request, l *leg, server sip.Uri, match ifc.Match) stack.Branch {
	if !server.UriParams.Has("lr") {
		server.UriParams.Add("lr", "")
	}

	l.place, l.target = match.Index, out.Recipient.String()
	s.atServers.add(l)

	r := sip.Copy(out)
	sip.PushRoute(r, s.endpoint.URI(l.odi))
	sip.PushRoute(r, server.String())
	sip.Set(r, "P-Served-User", l.served.servedUser())
	l.served.servers = append(l.served.servers, match.Server)

	return stack.Branch{
		Request: r, Timeout: s.config.ServerTimeout, Busy: func() bool { return l.state() == AtLiveServer }, Label: match.Server,
	}
}
