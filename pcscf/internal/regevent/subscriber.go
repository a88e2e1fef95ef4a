package regevent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Registrations gives access to the bindings that documents refer to.
type Registrations interface {
	Of(private string) []*binding.Binding
	// End ends a binding; Change replaces one. Neither does anything to a binding that was replaced meanwhile.
	End(b *binding.Binding, why string)
	Change(old, b *binding.Binding)
}

// Sender sends requests; it is a *stack.Stack.
type Sender interface {
	Do(ctx context.Context, r *sip.Request, d stack.Destination) (*sip.Response, error)
}

// Options are what a subscriber works with.
type Options struct {
	Registrations Registrations
	Sender        Sender
	// Own is the host of this P-CSCF on the core's side as ip:port, as in Path: it tells the S-CSCF who subscribes.
	Own string
	// Home returns the destination of a first SUBSCRIBE: the home network's I-CSCF. Later ones go to the S-CSCF that answered.
	Home     func(ctx context.Context) (stack.Destination, error)
	Endpoint *stack.Endpoint
	// Network is P-Charging-Vector's orig-ioi.
	Network string
	Limit   int // subscriptions
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Subscriber holds the subscriptions of the P-CSCF, one for each private identity.
type Subscriber struct {
	registrations Registrations
	sender        Sender
	own           string
	home          func(ctx context.Context) (stack.Destination, error)
	endpoint      *stack.Endpoint
	network       string
	limit         int
	log           *slog.Logger
	subscribes    *prometheus.CounterVec
	notifies      *prometheus.CounterVec

	mu       sync.Mutex
	byUser   map[string]*subscription
	byCallID map[string]*subscription
	queue    []*subscription // waiting to send a SUBSCRIBE
	workers  int
	slot     time.Time       // when the next SUBSCRIBE may be sent
	ctx      context.Context // nil before Run and after it
	running  sync.WaitGroup
}

const (
	atOnce = 32 // SUBSCRIBEs waiting for an answer; others wait for these
	// pace is the time between two SUBSCRIBEs. When all handsets register at once, as after a power cut, their registrations go first.
	pace = 5 * time.Millisecond
)

// New returns a subscriber without subscriptions.
func New(o Options) *Subscriber {
	s := &Subscriber{
		registrations: o.Registrations,
		sender:        o.Sender,
		own:           o.Own,
		home:          o.Home,
		endpoint:      o.Endpoint,
		network:       o.Network,
		limit:         o.Limit,
		log:           o.Log,
		byUser:        map[string]*subscription{},
		byCallID:      map[string]*subscription{},
		subscribes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pcscf_reg_subscribe_total",
			Help: "SUBSCRIBE requests for the reg event by what came of them: a status, unanswered, full.",
		}, []string{"outcome"}),
		notifies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pcscf_reg_notify_total", Help: "NOTIFY requests of the reg event by the status of the answer.",
		}, []string{"status"}),
	}

	if o.Metrics != nil {
		o.Metrics.MustRegister(s.subscribes, s.notifies, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_pcscf_reg_subscriptions", Help: "Subscriptions to the reg event.",
		}, func() float64 { return float64(s.Len()) }))
	}

	return s
}

// Len returns the number of subscriptions.
func (s *Subscriber) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.byUser)
}

// Run sends SUBSCRIBEs until ctx ends.
func (s *Subscriber) Run(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	for range min(atOnce, len(s.queue)) {
		s.employ()
	}
	s.mu.Unlock()

	<-ctx.Done()

	s.mu.Lock()
	s.ctx = nil
	for _, sub := range s.byUser {
		sub.stop()
	}
	s.mu.Unlock()

	s.running.Wait()
}

// Registered is called with each 200 to a REGISTER. A user's first one makes the subscription (TS 24.229 §5.2.3).
func (s *Subscriber) Registered(b *binding.Binding) {
	if b.Default() == "" {
		return // there is nobody to subscribe to
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if sub := s.byUser[b.Private]; sub != nil {
		if !sub.leaving {
			return
		}

		s.forget(sub) // the handset is back; late NOTIFYs about the earlier registration must not affect the new one
	}

	if len(s.byUser) >= s.limit {
		s.subscribes.WithLabelValues("full").Inc()
		return
	}

	sub := &subscription{subscriber: s, private: b.Private, public: b.Default()}
	s.byUser[sub.private] = sub
	s.submit(sub)
}

// Ended is called when a binding of a user has ended. With the last one the subscription is left to end: by a NOTIFY of the S-CSCF, or by
// expiry.
func (s *Subscriber) Ended(private string) {
	for _, b := range s.registrations.Of(private) {
		if b.Registered {
			return
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if sub := s.byUser[private]; sub != nil && !sub.leaving {
		sub.leaving = true
		sub.after(binding.Linger, func() { s.forget(sub) })
	}
}

// forget is called with the lock held.
func (s *Subscriber) forget(sub *subscription) {
	sub.stop()

	if s.byUser[sub.private] == sub {
		delete(s.byUser, sub.private)
	}

	if s.byCallID[sub.callID] == sub {
		delete(s.byCallID, sub.callID)
	}

	sub.over = true
}

// again schedules a SUBSCRIBE. It is called with the lock held.
func (s *Subscriber) again(sub *subscription, wait time.Duration) {
	sub.stop()

	if wait <= 0 {
		s.submit(sub)
		return
	}

	sub.after(wait, func() { s.submit(sub) })
}

// submit is called with the lock held.
func (s *Subscriber) submit(sub *subscription) {
	if sub.queued || sub.over {
		return
	}

	if sub.sending {
		sub.more = true
		return
	}

	sub.queued = true
	s.queue = append(s.queue, sub)
	s.employ()
}

// employ is called with the lock held.
func (s *Subscriber) employ() {
	if s.ctx == nil || s.workers >= atOnce {
		return
	}

	s.workers++
	ctx := s.ctx
	s.running.Go(func() { s.sendQueued(ctx) })
}

func (s *Subscriber) sendQueued(ctx context.Context) {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 || ctx.Err() != nil {
			s.workers--
			s.mu.Unlock()

			return
		}

		sub := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		now := time.Now()
		wait := max(0, s.slot.Sub(now))
		s.slot = now.Add(wait + pace)
		s.mu.Unlock()

		select {
		case <-time.After(wait):
			s.subscribe(ctx, sub)
		case <-ctx.Done():
		}
	}
}
