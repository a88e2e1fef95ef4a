package asregister

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/background"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Policy is the operator's policy on third-party registration.
type Policy struct {
	// Timeout is how long an application server may take to answer; then its default handling applies.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultPolicy returns a policy for a lab.
func DefaultPolicy() Policy { return Policy{Timeout: 32 * time.Second} }

// Validate returns an error if the policy cannot work.
func (p *Policy) Validate() error {
	if p.Timeout < time.Second {
		return errors.New("third_party_registration.timeout: at least 1s")
	}

	return nil
}

// Sender sends requests; it is a *stack.Stack.
type Sender interface {
	Do(ctx context.Context, r *sip.Request, d stack.Destination) (*sip.Response, error)
}

// Options are the dependencies of a server.
type Options struct {
	Sender     Sender
	Endpoint   *stack.Endpoint
	ServerName string // SIP URI of this S-CSCF
	HomeDomain string
	MaxBody    int // octets; in a larger one the messages of the handset are left out; 0: 32 kB
	// End ends a registration after the failure of an application server whose default handling demands that.
	End     func(ctx context.Context, public string) error
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Server sends third-party REGISTERs.
type Server struct {
	policy     Policy
	sender     Sender
	endpoint   *stack.Endpoint
	serverName string
	homeDomain string
	maxBody    int
	end        func(ctx context.Context, public string) error
	work       *background.Queue
	log        *slog.Logger
	outcomes   *prometheus.CounterVec

	mu    sync.Mutex
	lines map[string][]job // by the identity of the set; the first is in work
}

// job is one change to send.
type job struct {
	change  registration.Change
	servers []triggered
}

const (
	atOnce  = 200
	maxLine = 8 // changes of one user that wait; a later re-registration replaces an earlier one
)

// New returns a server; it works while Run does.
func New(policy Policy, o Options) *Server {
	s := &Server{
		policy: policy, sender: o.Sender, endpoint: o.Endpoint, serverName: o.ServerName, homeDomain: o.HomeDomain, end: o.End,
		maxBody: cmp.Or(o.MaxBody, 32<<10),
		work:    background.New(atOnce), log: o.Log, lines: map[string][]job{},
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_scscf_third_party_register_total",
			Help: "Third-party REGISTER requests by what came of them: accepted, refused, unanswered.",
		}, []string{"outcome"}),
	}

	if o.Metrics != nil {
		o.Metrics.MustRegister(s.outcomes)
	}

	return s
}

// Run sends until ctx ends.
func (s *Server) Run(ctx context.Context) { s.work.Run(ctx) }

// Changed sends a change to the application servers. Changes of one user are sent in order. It is an observer of the registrar.
func (s *Server) Changed(c registration.Change) {
	c, seen := c.Visible()
	if !seen || c.Cause == registration.ByProfile || len(c.Contacts) == 0 {
		return
	}

	request := c.Request

	if request == nil {
		var err error
		if request, err = standIn(c, s.homeDomain); err != nil {
			s.log.Error("a third-party REGISTER could not be made", "cause", err)
			return
		}
	}

	told := servers(c, request, identityOf(c))
	if len(told) == 0 {
		return
	}

	line := told[0].public

	s.mu.Lock()
	defer s.mu.Unlock()

	waiting := s.lines[line]
	if len(waiting) >= maxLine {
		waiting = append(waiting[:1], waiting[2:]...)
	}

	s.lines[line] = append(waiting, job{c, told})

	if len(waiting) == 0 {
		s.work.Add(func(ctx context.Context) { s.serve(ctx, line) })
	}
}

// serve sends the changes of one user that wait.
func (s *Server) serve(ctx context.Context, line string) {
	for {
		s.mu.Lock()
		next := s.lines[line][0]
		s.mu.Unlock()

		for _, t := range next.servers {
			if ctx.Err() == nil {
				s.tell(ctx, next.change, t)
			}
		}

		s.mu.Lock()
		left := s.lines[line][1:]

		if len(left) == 0 {
			delete(s.lines, line)
			s.mu.Unlock()

			return
		}

		s.lines[line] = left
		s.mu.Unlock()
	}
}

// tell sends one third-party REGISTER. If the server fails, its default handling applies.
func (s *Server) tell(ctx context.Context, c registration.Change, t triggered) {
	failure := s.send(ctx, c, t)
	if failure == nil || ctx.Err() != nil {
		return
	}

	if t.match.Continue || c.Type == ifc.DeRegistration {
		s.log.Warn(
			"an application server did not take a registration; it goes on without",
			"server", t.match.Server,
			"impu", t.public,
			"cause", failure,
		)
		return
	}

	s.log.Warn(
		"an application server did not take a registration, which its default handling ends",
		"server", t.match.Server,
		"impu", t.public,
		"cause", failure,
	)

	if err := s.end(ctx, t.public); err != nil {
		s.log.Warn("the end of the registration was not told to the HSS", "impu", t.public, "cause", err)
	}
}

// send returns an error if default handling applies: there was no answer, or it was 408 or 5xx. Other answers are ignored.
func (s *Server) send(ctx context.Context, c registration.Change, t triggered) error {
	request, err := s.register(c, t, time.Now())
	if err != nil {
		s.outcomes.WithLabelValues("unanswered").Inc()
		return fmt.Errorf("the REGISTER cannot be made: %w", err)
	}

	ctx, cancel := context.WithTimeout(ctx, s.policy.Timeout)
	defer cancel()

	response, err := s.sender.Do(ctx, request, stack.Destination{Endpoint: s.endpoint})

	switch {
	case err != nil:
		s.outcomes.WithLabelValues("unanswered").Inc()
		return err
	case response.IsSuccess():
		s.outcomes.WithLabelValues("accepted").Inc()
		return nil
	}

	outcome := "refused"
	if stack.Local(response) {
		outcome = "unanswered"
	}

	s.outcomes.WithLabelValues(outcome).Inc()

	if response.StatusCode == 408 || response.StatusCode/100 == 5 {
		return fmt.Errorf("it was answered %d %s", response.StatusCode, response.Reason)
	}

	s.log.Info(
		"an application server refused a third-party REGISTER",
		"server", t.match.Server,
		"impu", t.public,
		"status", response.StatusCode,
	)

	return nil
}
