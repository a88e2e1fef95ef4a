// Package alert tells people of emergency calls as they begin: by HTTP to a webhook, and by a MESSAGE to a SIP address. No call waits for
// an alert, and none depends on it.
package alert

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Call is an emergency call that begins.
type Call struct {
	Time     time.Time `json:"time"`
	Service  string    `json:"service"` // "sos.fire"
	Caller   string    `json:"case"`    // kind of caller
	Private  string    `json:"impi,omitempty"`
	Public   string    `json:"impu,omitempty"`
	Handset  string    `json:"imei,omitempty"`
	Source   string    `json:"source"`
	Location string    `json:"location"` // whether the request has one
	Access   string    `json:"access,omitempty"`
	CallID   string    `json:"call_id"`
	Refused  string    `json:"refused,omitempty"` // why the call is refused at once
}

// Config is who is told. Empty fields tell nobody.
type Config struct {
	Webhook string `yaml:"webhook"` // URL that gets a POST of the call as JSON
	Message string `yaml:"message"` // sip or tel URI that gets a MESSAGE
}

// way is one way of delivery.
type way interface {
	deliver(ctx context.Context, c Call) error
	patience() time.Duration // with an attempt
}

// hopeless is an error that does not go away with another attempt.
type hopeless struct{ error }

// Unwrap returns the error itself.
func (h hopeless) Unwrap() error { return h.error }

const (
	waiting  = 100         // alerts of a way that wait; one more is dropped
	workers  = 4           // of a way
	attempts = 5           // of an alert
	pause    = time.Second // after the first attempt; twice as long after each further one
)

// Alerts delivers alerts; nil delivers none.
type Alerts struct {
	queues []queue
	log    *slog.Logger
}

type queue struct {
	name     string
	way      way
	calls    chan Call
	outcomes *prometheus.CounterVec
}

// Options are what Alerts work with.
type Options struct {
	Messages Messages
	Log      *slog.Logger
	Metrics  prometheus.Registerer
}

// New returns the alerts of a configuration.
func New(c Config, o Options) *Alerts {
	a := &Alerts{log: o.Log}
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_pcscf_emergency_alerts_total", Help: "Alerts of emergency calls, by the way of delivery and what came of them.",
	}, []string{"way", "outcome"})
	o.Metrics.MustRegister(outcomes)

	if c.Webhook != "" {
		a.add("webhook", newWebhook(c.Webhook), outcomes)
	}

	if c.Message != "" {
		a.add("message", &messenger{Messages: o.Messages, to: c.Message}, outcomes)
	}

	return a
}

func (a *Alerts) add(name string, w way, outcomes *prometheus.CounterVec) {
	a.queues = append(a.queues, queue{
		name: name, way: w, calls: make(chan Call, waiting), outcomes: outcomes.MustCurryWith(prometheus.Labels{"way": name}),
	})
}

// Tell has an alert delivered. It never waits.
func (a *Alerts) Tell(c Call) {
	if a == nil {
		return
	}

	for _, q := range a.queues {
		select {
		case q.calls <- c:
		default:
			a.notDelivered(q, c, 0, errors.New("too many alerts wait"), "dropped")
		}
	}
}

// Run delivers alerts until ctx ends. Alerts that wait then are dropped.
func (a *Alerts) Run(ctx context.Context) {
	if a == nil {
		return
	}

	var running sync.WaitGroup
	defer running.Wait()

	for _, q := range a.queues {
		for range workers {
			running.Go(func() { a.work(ctx, q) })
		}
	}
}

func (a *Alerts) work(ctx context.Context, q queue) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-q.calls:
			a.deliver(ctx, q, c)
		}
	}
}

// deliver tries until the alert is delivered, an attempt is hopeless, or there were enough.
func (a *Alerts) deliver(ctx context.Context, q queue, c Call) {
	wait := pause

	for attempt := 1; ; attempt++ {
		err := once(ctx, q.way, c)
		_, final := errors.AsType[hopeless](err)

		switch {
		case err == nil:
			q.outcomes.WithLabelValues("delivered").Inc()
			return
		case attempt == attempts || ctx.Err() != nil || final:
			a.notDelivered(q, c, attempt, err, "failed")
			return
		}

		timer := time.NewTimer(wait)
		wait *= 2

		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func once(ctx context.Context, w way, c Call) error {
	ctx, cancel := context.WithTimeout(ctx, w.patience())
	defer cancel()

	return w.deliver(ctx, c)
}

// notDelivered reports an alert that nobody got.
func (a *Alerts) notDelivered(q queue, c Call, attempt int, err error, outcome string) {
	q.outcomes.WithLabelValues(outcome).Inc()
	a.log.Error("emergency alert not delivered", "destination", q.name, "attempt", attempt, "cause", err, "service", c.Service,
		"call_id", c.CallID)
}
