// Package session serves requests other than REGISTER at the S-CSCF (TS 24.229 §5.4.3): it applies the services of the calling and the
// called user by their filter criteria, charges, and finds where the request goes next.
//
// An initial request is read once (request.go), and gets its served user (originating.go, terminating.go, diversion.go). Its services are
// the application servers of the filter criteria, leg by leg (services.go, chain.go, leg_machine.go); then it is routed to its target
// (routing.go, abroad.go) or to the UE (terminating.go). Requests within a dialog follow their Route (within.go). Calls, from answer to
// release, are in package call; numbers, in package numbering.
package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/numbering"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Registrations are the users that this S-CSCF serves.
type Registrations interface {
	Lookup(public string) (registration.User, bool)
	// Registered is like Lookup, but waits for the profile of a registration that was kept over a restart.
	Registered(ctx context.Context, public string) (registration.User, bool, error)
	// FetchUnregistered asks the HSS for the services of a user who is not registered (TS 24.229 §5.4.3.3).
	FetchUnregistered(ctx context.Context, public string) (registration.User, error)
	// FlowFailed reports that a contact's P-CSCF does not reach it any more (RFC 5626 §5.3.1).
	FlowFailed(public string, contact *registration.Binding)
	// Registration returns the registration of an identity, including one that was kept over a restart and has no profile yet.
	Registration(public string) (*registration.Registration, bool)
}

// Config is the part of the configuration that the procedures read.
type Config struct {
	HomeDomain   string
	Interrogator string // SIP URI of the I-CSCF, for requests to users of the home network
	Timer        call.Timer
	Border       Border
	Emergency    *emergency.Plan // numbers of calls that do not leave the network from here; nil: URNs alone
	// ServerTimeout is how long an application server may stay silent until its default handling applies; 0: timer B or F.
	ServerTimeout time.Duration
}

// Options are the dependencies of a Server.
type Options struct {
	Stack         *stack.Stack
	Endpoint      *stack.Endpoint
	Registrations Registrations
	Numbers       *numbering.Translator
	Charging      *charging.Trigger
	Log           *slog.Logger
	Metrics       prometheus.Registerer
}

// Server serves sessions and standalone requests.
type Server struct {
	config        Config
	stack         *stack.Stack
	endpoint      *stack.Endpoint
	registrations Registrations
	numbers       *numbering.Translator
	charging      *charging.Trigger
	log           *slog.Logger

	calls      *call.Table
	atServers  atServers
	legs       *fsm.Machine[LegState, LegEvent, LegAction]
	unexpected prometheus.Counter
	outcomes   *prometheus.CounterVec
}

// New returns a Server without calls.
func New(c Config, o Options) *Server {
	s := &Server{
		config: c, stack: o.Stack, endpoint: o.Endpoint, registrations: o.Registrations, numbers: o.Numbers, charging: o.Charging,
		log: o.Log, atServers: atServers{legs: map[string]*leg{}}, legs: LegMachine,
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_scscf_requests_total", Help: "Requests by the case they were served in, method and what came of them.",
		}, []string{"case", "method", "outcome"}),
		unexpected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_scscf_session_unexpected_events_total", Help: "Events without a row in the table of legs; must stay 0.",
		}),
	}
	o.Metrics.MustRegister(s.outcomes, s.unexpected)

	s.calls = call.New(call.Options{
		Stack: o.Stack, Endpoint: o.Endpoint, Registrations: o.Registrations, Charging: o.Charging, Outcomes: s.outcomes, Log: o.Log,
		Metrics: o.Metrics,
	})

	return s
}

// Calls returns the calls that requests have begun.
func (s *Server) Calls() *call.Table { return s.calls }

// HandleRequest serves one request.
func (s *Server) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	request := tx.Request()

	if s.stack.AsksItself(request) {
		_ = tx.Reply(200, "")
		return
	}

	out, own, refusal := s.stack.Forwardable(request)
	if refusal != nil {
		s.refuse(tx, "none", refusal)
		s.hungUp(request, own)

		return
	}

	if _, tagged := request.To().Params.Get("tag"); tagged {
		s.withinDialog(ctx, tx, out, own)
		return
	}

	if s.stack.Repeated(tx) { // one call, and one charging session, even if the element before this one was restarted
		return
	}

	s.canonicalise(out)

	r := parse(tx, out)
	if r.unreadable != nil {
		s.refuse(tx, "none", r.unreadable)
		return
	}

	switch route, l := s.routeUserOf(own); route {
	case handedBack:
		s.returned(ctx, r, l)
	case ofHandset, onBehalf:
		s.originate(ctx, r, route == ofHandset)
	default:
		s.terminate(ctx, r)
	}
}

// HandleAck passes on the ACK of a 2xx.
func (s *Server) HandleAck(ctx context.Context, ack *stack.Ack) {
	out, own, refusal := s.stack.Forwardable(ack.Request)
	if refusal != nil || !sip.Has(out, "Route") && s.stack.Own(out.Recipient) {
		return
	}

	within := s.calls.Within(own, out)
	if within.OfOtherParty() {
		s.outcomes.WithLabelValues("dialog", "ACK", "of the other side").Inc()
		s.log.Warn("ACK dropped", "cause", ofOtherParty, "source", ack.Flow.Remote.String())

		return
	}

	to, err := s.routeWithin(ctx, out, within)
	if err != nil {
		s.outcomes.WithLabelValues("dialog", "ACK", "into the core").Inc()
		s.log.Warn("ACK dropped", "cause", err, "source", ack.Flow.Remote.String())

		return
	}

	within.Acknowledged()

	_ = s.stack.SendStateless(ctx, out, to)
}

const ofOtherParty = "the Route is of the other side of the call than the tags"

// served is one side of a request on its way through this S-CSCF.
type served struct {
	side     call.Side
	handset  bool // originating, and sent by a handset of the user's
	diverted bool // originating, because an application server has diverted a request to the user
	user     registration.User
	public   string        // the served user's identity, canonical
	servers  []string      // application servers in the path
	interval call.Interval // of the session, as requested
	call     *call.Call
	event    *charging.Event
}
