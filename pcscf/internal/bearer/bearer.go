package bearer

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/label"
)

// Bearers holds all sessions of this P-CSCF at an authority.
type Bearers struct {
	authority Authority
	log       *slog.Logger
	machine   *fsm.Machine[State, Signal, Action]
	journal   store // nil: nothing is saved
	context   context.Context
	stop      context.CancelFunc
	work      sync.WaitGroup

	requests   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	sessions   prometheus.Gauge
	losses     prometheus.Counter
	unexpected prometheus.Counter

	mu     sync.Mutex
	closed bool
	open   map[string]*session // by key
	ids    map[string]*session // by ID at the authority
	left   map[string]*session // sessions of registrations' signalling from before a restart, until adopted
	places map[netip.Addr]place
}

// New returns the Bearers that ask this authority.
func New(authority Authority, log *slog.Logger, registerer prometheus.Registerer) *Bearers {
	b := &Bearers{
		authority: authority, log: log, machine: Machine, open: map[string]*session{}, ids: map[string]*session{}, left: map[string]*session{},
		places: map[netip.Addr]place{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pcscf_bearer_requests_total", Help: "Requests for bearers, by kind (ask, change, end) and result.",
		}, []string{"kind", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dialtone_pcscf_bearer_answer_seconds", Help: "Time from a request for bearers to its answer, by kind.",
		}, []string{"kind"}),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dialtone_pcscf_bearer_sessions", Help: "Sessions at the PCRF or PCF, those included whose end is still owed.",
		}),
		losses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_pcscf_bearer_losses_total", Help: "Bearers that the access network lost or took back.",
		}),
		unexpected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_pcscf_bearer_unexpected_events_total", Help: "Events without a row in the table of bearer sessions; must stay 0.",
		}),
	}
	b.context, b.stop = context.WithCancel(context.Background())
	registerer.MustRegister(b.requests, b.latency, b.sessions, b.losses, b.unexpected)

	return b
}

// begin makes a session for a leg whose previous session had the bearers in had. The session exists once it is requested.
func (b *Bearers) begin(leg *CallLeg, had []media.Component) *session {
	id := b.authority.NewID()

	return &session{
		bearers: b, lost: leg.lost, anew: leg.anew, had: had, machine: b.machine.Start(Idle),
		record: record{Handle: Handle{ID: id}, Key: cmp.Or(id, rand.Text()), Leg: leg.leg, Began: time.Now()},
	}
}

// Go runs do in a goroutine. Close waits for it; after Close none is started.
func (b *Bearers) Go(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if !b.closed {
		b.work.Go(do)
	}
}

// outcome counts the result of a request and returns its signal.
func (b *Bearers) outcome(q *Request, err error, took time.Duration) Signal {
	kind := "ask"
	if q.Update {
		kind = "change"
	}

	b.latency.WithLabelValues(kind).Observe(took.Seconds())

	refusal, refused := errors.AsType[*Refusal](err)

	switch {
	case err == nil:
		b.requests.WithLabelValues(kind, "granted").Inc()
		return Agreed
	case !refused:
		b.requests.WithLabelValues(kind, "no answer").Inc()
		b.log.Error("no answer to a request for bearers", "action", kind, "session_id", q.ID, "impu", q.Leg.Identity, "call_id", q.Leg.Call,
			"icid", q.Leg.ICID, "ue", q.Leg.UE, "cause", err)

		return Unanswered
	}

	b.requests.WithLabelValues(kind, resultOf(refusal.Code)).Inc()
	b.log.Warn("bearers are refused", "action", kind, "session_id", q.ID, "impu", q.Leg.Identity, "call_id", q.Leg.Call,
		"icid", q.Leg.ICID, "ue", q.Leg.UE, "result", refusal.Code, "cause", refusal.Why)

	switch {
	case refusal.Undone:
		return Undelivered
	case refusal.Unknown:
		return SessionUnknown
	default:
		return RefusedBy
	}
}

// resultOf returns the label of a PCRF's result code or a PCF's status.
func resultOf(code uint32) string {
	const leastOfDiameter = 1000

	if code < leastOfDiameter {
		return label.Status(int(code))
	}

	return label.Result(code)
}

// ended counts the result of a session's end and returns its signal. Any answer means that the session is gone.
func (b *Bearers) ended(err error, took time.Duration) Signal {
	b.latency.WithLabelValues("end").Observe(took.Seconds())

	if err != nil {
		b.requests.WithLabelValues("end", "no answer").Inc()
		return EndUnanswered
	}

	b.requests.WithLabelValues("end", "answered").Inc()

	return EndTaken
}

// Abort handles the order to end a session (ASR, or the notification of a PCF), and reports whether the session exists.
func (b *Bearers) Abort(id, why string) bool {
	return b.AbortBusy(id, why, 0)
}

// AbortBusy is Abort of an authority that is busy with the session for a while: its end is not sent before.
func (b *Bearers) AbortBusy(id, why string, busy time.Duration) bool {
	return b.order(id, Aborted, input{loss: Loss{All: true, Why: why}, busy: busy})
}

// Lose handles the notification that a session's bearers for these components (none: for all) are lost or released. It reports whether the
// session exists.
func (b *Bearers) Lose(id, why string, components []uint32) bool {
	return b.order(id, BearerLost, input{loss: Loss{Why: why, Components: components}})
}

// Moved handles the notification that the UE of a session has changed its access network. It reports whether the session exists.
func (b *Bearers) Moved(id, access string) bool {
	s := b.find(id)
	if s == nil {
		return false
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	b.log.Info("a UE is reached by another access network; GET /bearers has it", "session_id", id, "ue", s.record.Leg.UE)
	s.record.Access = access

	return true
}

// Known reports whether the session exists.
func (b *Bearers) Known(id string) bool { return b.find(id) != nil }

func (b *Bearers) find(id string) *session {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.ids[id]
}

func (b *Bearers) order(id string, signal Signal, in input) bool {
	s := b.find(id)
	if s == nil {
		return false
	}

	b.losses.Inc()
	b.log.Warn("bearers are lost", "session_id", id, "event", signal, "cause", in.loss.Why)

	return s.happen(signal, in)
}

// Status is one session as the admin HTTP lists it.
type Status struct {
	Session    string    `json:"session_id"`
	Server     string    `json:"server,omitempty"`
	State      State     `json:"state"`
	Call       string    `json:"call_id,omitempty"`
	Identity   string    `json:"impu,omitempty"`
	UE         string    `json:"ue"`
	Access     string    `json:"access,omitempty"`
	Place      string    `json:"place,omitempty"` // of its UE, as P-Access-Network-Info
	Began      time.Time `json:"began"`
	Components []string  `json:"components"` // "1 AUDIO ENABLED"
}

// Sessions returns all sessions, the oldest first.
func (b *Bearers) Sessions() []Status {
	b.mu.Lock()
	open := slices.Collect(maps.Values(b.open))
	b.mu.Unlock()

	all := []Status{}
	for _, s := range open {
		all = append(all, s.status())
	}

	slices.SortFunc(all, func(x, y Status) int { return x.Began.Compare(y.Began) })

	return all
}

func (s *session) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()

	r := &s.record
	status := Status{
		Place: s.bearers.Place(r.Leg.UE).String(),

		Session: r.ID, Server: r.Server, State: s.machine.State(), Call: r.Leg.Call, Identity: r.Leg.Identity,
		UE: r.Leg.UE.String(), Access: r.Access, Began: r.Began, Components: []string{},
	}

	for _, c := range s.needs {
		status.Components = append(status.Components, strconv.Itoa(int(c.Number))+" "+string(c.Kind)+" "+string(c.Status))
	}

	return status
}
