// Package session handles requests other than REGISTER at the S-CSCF (TS 24.229 §5.4.3): it serves the calling and the called
// user by their filter criteria, charges, and finds where the request goes next.
package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/journal"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Registrations are the users that this S-CSCF serves.
type Registrations interface {
	Lookup(public string) (registration.User, bool)
	// Registered waits for the profile of a registration that was kept over a restart.
	Registered(ctx context.Context, public string) (registration.User, bool, error)
	// FetchUnregistered asks the HSS for the services of a user that is not registered (TS 24.229 §5.4.3.3).
	FetchUnregistered(ctx context.Context, public string) (registration.User, error)
	// FlowFailed is told that a contact's P-CSCF does not reach it any more (RFC 5626 §5.3.1).
	FlowFailed(public string, contact *registration.Binding)
	// Registration is the registration that an identity belongs to, also one that was kept over a restart and has no profile yet.
	Registration(public string) (*registration.Registration, bool)
}

// Enum translates a telephone number, +E.164, to a URI (RFC 6116); none is "".
type Enum interface {
	Translate(ctx context.Context, number string) (uri string, err error)
}

// Subscribers reports whether somebody has a public identity, as the HSS knows it.
type Subscribers interface {
	Exists(ctx context.Context, public string) (bool, error)
}

// Config is the part of the configuration that the procedures read.
type Config struct {
	HomeDomain   string
	Interrogator string // SIP URI of the I-CSCF, for requests to users of the home network
	Numbers      Numbers
	Timer        Timer
	Border       Border
	// ServerTimeout is how long an application server may stay silent until its default handling applies; 0: timer B or F.
	ServerTimeout time.Duration
}

// Server serves sessions and standalone requests.
type Server struct {
	Config        Config
	Stack         *stack.Stack
	Endpoint      *stack.Endpoint
	Registrations Registrations
	Enum          Enum        // nil: numbers are not translated
	Subscribers   Subscribers // nil: local numbers are what the numbering plan says
	Charging      *charging.Trigger
	Log           *slog.Logger

	atServers  atServers
	legs       *fsm.Machine[LegState, LegEvent, LegAction]
	unexpected prometheus.Counter
	mu         sync.Mutex
	calls      map[string]*call
	contacts   map[uint32]map[*call]struct{} // calls by the contact of their user
	restored   []*call                       // until Resume
	journal    *journal.Journal[keptCall]    // nil: calls end with the process
	outcomes   *prometheus.CounterVec

	ctx     context.Context // of what the S-CSCF does by itself, until Close
	stop    context.CancelFunc
	running sync.WaitGroup
}

const maxCalls = 100_000 // calls alive at the same time

// Register makes the metrics known.
func (s *Server) Register(registerer prometheus.Registerer) {
	s.calls, s.contacts = map[string]*call{}, map[uint32]map[*call]struct{}{}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.atServers.legs, s.legs = map[string]*leg{}, LegMachine
	s.outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_scscf_requests_total", Help: "Requests by the case they were served in, method and what came of them.",
	}, []string{"case", "method", "outcome"})
	s.unexpected = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "dialtone_scscf_session_unexpected_events_total", Help: "Events without a row in the table of legs; must stay 0.",
	})
	registerer.MustRegister(s.outcomes, s.unexpected, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_scscf_calls", Help: "Calls that this S-CSCF is in the route of, one for each side it serves.",
	}, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()

		return float64(len(s.calls))
	}))
}

// HandleRequest serves one request.
func (s *Server) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	request := tx.Request()

	if s.Stack.AsksItself(request) {
		_ = tx.Reply(200, "")
		return
	}

	out, own, refusal := s.Stack.Forwardable(request)
	if refusal != nil {
		s.refuse(tx, "none", refusal)
		return
	}

	if _, tagged := request.To().Params.Get("tag"); tagged {
		s.withinDialog(ctx, tx, out, own)
		return
	}

	if s.Stack.Repeated(tx) { // one call, and one charging session, whoever before it was started anew
		return
	}

	s.tidy(out)

	r := read(tx, out)

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
	out, own, refusal := s.Stack.Forwardable(ack.Request)
	if refusal != nil || !sip.Has(out, "Route") && s.Stack.Own(out.Recipient) {
		return
	}

	if s.misplaced(own, out) {
		s.outcomes.WithLabelValues("dialog", "ACK", "of the other side").Inc()
		s.Log.Warn("ACK dropped", "reason", "the Route is of the other side of the call than the tags", "source", ack.Flow.Remote.String())

		return
	}

	calls := s.callsOf(own)

	to, err := s.onwards(ctx, out, calls)
	if err != nil {
		s.outcomes.WithLabelValues("dialog", "ACK", "into the core").Inc()
		s.Log.Warn("ACK dropped", "reason", err, "source", ack.Flow.Remote.String())

		return
	}

	for _, c := range calls {
		if c.of(out) {
			c.acknowledged()
		}
	}

	_ = s.Stack.SendStateless(ctx, out, to)
}

// served is one side of a request on its way through this S-CSCF.
type served struct {
	side     side
	handset  bool // originating, and sent by a handset of the user's
	diverted bool // originating, because an application server has diverted what was meant for the user
	user     registration.User
	public   string   // the served user's identity, canonical
	servers  []string // application servers that were in the path
	timer    interval // of the session, as it was asked for
	call     *call
	event    *charging.Event
}

type side int

const (
	originating side = iota
	terminating
)

func (s side) String() string {
	if s == originating {
		return "originating"
	}

	return "terminating"
}

func (s side) role() ro.RoleOfNode {
	if s == originating {
		return ro.OriginatingRole
	}

	return ro.TerminatingRole
}
