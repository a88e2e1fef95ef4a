package regevent

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/background"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

const contentType = "application/reginfo+xml"

// Policy is the operator's policy on subscriptions.
type Policy struct {
	MinExpires time.Duration `yaml:"min_expires"` // less is answered 423
	MaxExpires time.Duration `yaml:"max_expires"` // more is shortened
	// MaxSubscriptions limits all subscriptions, MaxPerUser those to one implicit registration set.
	MaxSubscriptions int `yaml:"max_subscriptions"`
	MaxPerUser       int `yaml:"max_per_user"`
	// Partial sends only changes in NOTIFYs after the first. Without it each NOTIFY has the whole state.
	Partial bool `yaml:"partial"`
	// Trusted lists hosts, as in P-Asserted-Identity, that may watch everybody, besides the user's own P-CSCF and application
	// servers.
	Trusted []string `yaml:"trusted"`
}

// DefaultPolicy returns a policy for a lab.
func DefaultPolicy() Policy {
	return Policy{
		MinExpires: time.Minute, MaxExpires: 600_000 * time.Second, MaxSubscriptions: 400_000, MaxPerUser: 32, Partial: true, Trusted: []string{},
	}
}

// Validate returns an error if the policy cannot work.
func (p *Policy) Validate() error {
	if p.MinExpires < 0 || p.MaxExpires < p.MinExpires || p.MaxExpires < time.Second || p.MaxSubscriptions < 1 || p.MaxPerUser < 1 {
		return errors.New("reg_event: max_expires must be at least 1s and min_expires, max_subscriptions and max_per_user positive")
	}

	return nil
}

// Registrations looks up registrations.
type Registrations interface {
	Lookup(public string) (registration.User, bool)
	// Registered is like Lookup, but may wait for a profile after a restart.
	Registered(ctx context.Context, public string) (registration.User, bool, error)
}

// Sender sends requests; it is a *stack.Stack.
type Sender interface {
	Do(ctx context.Context, r *sip.Request, d stack.Destination) (*sip.Response, error)
}

// Options are the dependencies of a server.
type Options struct {
	Registrations Registrations
	Sender        Sender
	Endpoint      *stack.Endpoint
	Contact       string // URI of this notifier
	HomeDomain    string
	MaxBody       int // octets of a document; a larger one goes in several NOTIFYs; 0: 32 kB
	Schedule      *schedule.Queue
	Log           *slog.Logger
	Metrics       prometheus.Registerer
}

// Server holds the subscriptions.
type Server struct {
	policy        Policy
	registrations Registrations
	sender        Sender
	endpoint      *stack.Endpoint
	contact       string
	homeDomain    string
	maxBody       int
	schedule      *schedule.Queue
	work          *background.Queue
	log           *slog.Logger
	subscribes    *prometheus.CounterVec
	notifies      *prometheus.CounterVec

	mu       sync.Mutex
	byDialog map[dialogKey]*subscription
	byPublic map[string][]*subscription
}

const notifiesAtOnce = 1000 // each may wait for a handset in idle mode

// New returns a server without subscriptions.
func New(policy Policy, o Options) *Server {
	s := &Server{
		policy: policy, registrations: o.Registrations, sender: o.Sender, endpoint: o.Endpoint, contact: o.Contact, homeDomain: o.HomeDomain,
		maxBody:  cmp.Or(o.MaxBody, 32<<10),
		schedule: o.Schedule, work: background.New(notifiesAtOnce), log: o.Log,
		byDialog: map[dialogKey]*subscription{}, byPublic: map[string][]*subscription{},
		subscribes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_scscf_reg_subscribe_total", Help: "SUBSCRIBE requests for the reg event by the status of the answer.",
		}, []string{"status"}),
		notifies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_scscf_reg_notify_total", Help: "NOTIFY requests of the reg event by what came of them: accepted, refused, unanswered.",
		}, []string{"outcome"}),
	}

	if o.Metrics != nil {
		o.Metrics.MustRegister(s.subscribes, s.notifies, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_scscf_reg_subscriptions", Help: "Subscriptions to the reg event.",
		}, func() float64 { return float64(s.count()) }))
	}

	return s
}

// Run sends NOTIFYs until ctx ends.
func (s *Server) Run(ctx context.Context) { s.work.Run(ctx) }

func (s *Server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.byDialog)
}

// Changed notifies the watchers of a registration. It is an observer of the registrar.
func (s *Server) Changed(c registration.Change) {
	c, seen := c.Visible()
	if !seen || len(c.Contacts) == 0 && c.Cause != registration.ByProfile {
		return
	}

	for _, sub := range s.watching(c.Before, c.After) {
		if sub.tell(c) {
			s.work.Add(func(ctx context.Context) { s.notify(ctx, sub) })
		}
	}
}

func (s *Server) watching(states ...*registration.Registration) []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()

	var all []*subscription

	for _, g := range states {
		if g == nil {
			continue
		}

		for i := range g.Identities {
			for _, sub := range s.byPublic[g.Identities[i].URI] {
				if !slices.Contains(all, sub) {
					all = append(all, sub)
				}
			}
		}
	}

	return all
}

// end ends a subscription with a last NOTIFY.
func (s *Server) end(sub *subscription, reason string) {
	sub.mu.Lock()
	if sub.terminated == "" {
		sub.terminated, sub.full = reason, true
	}
	call := sub.call()
	sub.mu.Unlock()

	if call {
		s.work.Add(func(ctx context.Context) { s.notify(ctx, sub) })
	}
}

// notify sends the NOTIFYs that are due, each after the answer to the one before (RFC 3680 §4.8), so that versions arrive in order.
func (s *Server) notify(ctx context.Context, sub *subscription) {
	for {
		request, last, err := sub.next(time.Now())

		switch {
		case err != nil:
			s.log.Error("a NOTIFY could not be made", "watcher", sub.watcher, "impu", sub.public, "cause", err)
			s.forget(sub)

			return
		case request == nil:
			return
		}

		if last {
			s.forget(sub) // whatever is answered
		}

		response, err := s.sender.Do(ctx, request, stack.Destination{Endpoint: s.endpoint})

		switch {
		case err != nil:
			s.notifies.WithLabelValues("unanswered").Inc()

			if ctx.Err() != nil {
				return
			}

			s.log.Warn("a NOTIFY could not be sent", "watcher", sub.watcher, "impu", sub.public, "cause", err)
			s.forget(sub) // its Contact or Route leads nowhere

			return
		case response.IsSuccess():
			s.notifies.WithLabelValues("accepted").Inc()
			sub.answered(response)
		default:
			outcome := "refused"
			if stack.Local(response) {
				outcome = "unanswered"
			}

			s.notifies.WithLabelValues(outcome).Inc()
			s.log.Warn("a NOTIFY was not accepted", "watcher", sub.watcher, "impu", sub.public, "status", response.StatusCode)

			if sub.answered(response) && !last {
				s.forget(sub)
				return
			}
		}

		if last {
			return
		}
	}
}

// forget drops a subscription.
func (s *Server) forget(sub *subscription) {
	s.schedule.Cancel(&sub.expiry)

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.byDialog[sub.key] != sub {
		return
	}

	delete(s.byDialog, sub.key)

	left := slices.DeleteFunc(s.byPublic[sub.public], func(other *subscription) bool { return other == sub })
	if len(left) == 0 {
		delete(s.byPublic, sub.public)
	} else {
		s.byPublic[sub.public] = left
	}
}
