// Package charging is the charging trigger function of the S-CSCF (TS 32.260 §5.3): it asks the OCS before a session goes on, and while
// it lasts, and reports usage (RFC 8506 §5, §7).
package charging

import (
	"cmp"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

// Trigger creates charging sessions.
type Trigger struct {
	config   Config
	ocs      OCS
	log      *slog.Logger
	outcomes *prometheus.CounterVec
	sessions prometheus.Gauge
	newID    func() string

	uncharged  prometheus.Counter
	unexpected prometheus.Counter

	journal      store[kept] // nil: nothing is kept
	eventJournal store[keptEvent]

	machine, events *fsm.Machine[State, Signal, Action]

	closed atomic.Bool

	mu         sync.Mutex
	open       map[string]*Session // by Session-Id
	openEvents map[string]*Event   // by Session-Id: those that are in progress, or have something to settle

	restored       []*Session // until Resume
	restoredEvents []*Event
	kept           map[string]*Session // restored sessions that no call has taken, by their first Session-Id
}

// Options are the dependencies of a Trigger.
type Options struct {
	OCS          OCS
	NewSessionID func() string // of Diameter
	Log          *slog.Logger
	Metrics      prometheus.Registerer
}

// New returns a Trigger without sessions.
func New(c Config, o Options) *Trigger {
	t := &Trigger{
		config: c, ocs: o.OCS, log: o.Log, newID: o.NewSessionID, machine: Machine, events: EventMachine,
		open: map[string]*Session{}, openEvents: map[string]*Event{},
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_scscf_charging_total", Help: "Credit-control requests, by type and outcome.",
		}, []string{"type", "outcome"}),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "dialtone_scscf_charging_sessions", Help: "Charging sessions open."}),
		uncharged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_scscf_uncharged_seconds_total", Help: "Seconds of calls that the OCS could not be told of.",
		}),
	}
	t.unexpected = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "dialtone_scscf_charging_unexpected_events_total", Help: "Events without a row in the tables of charging; must stay 0.",
	})
	o.Metrics.MustRegister(t.outcomes, t.sessions, t.uncharged, t.unexpected)

	return t
}

// Charges reports whether sessions of this side are charged.
func (t *Trigger) Charges(role ro.RoleOfNode) bool {
	return t.config.Enabled && (role == ro.OriginatingRole || t.config.Terminating)
}

// request returns a new CCR caused by the SIP request in event; nil: by none. The caller sets its Event-Timestamp, the time of what it
// reports (RFC 6733 §8.21).
func (t *Trigger) request(id string, kind ro.RequestType, number uint32, call *Call, event *ro.EventType, at server) *ro.CCR {
	q := &ro.CCR{
		ServiceContextID: t.config.ServiceContextID, Type: kind, Number: number, UserName: call.Private,
		Subscriptions: call.Subscriber, ServiceInformation: information(call, event),
	}
	q.SessionID, q.DestinationRealm, q.DestinationHost = id, t.config.Realm, cmp.Or(at.Host, t.config.Host)

	return q
}

// happened returns the time of what a report says: now, if it was kept by a version that did not record it.
func happened(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}

	return at
}
