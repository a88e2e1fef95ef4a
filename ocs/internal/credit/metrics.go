package credit

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
)

type metrics struct {
	requests, moved, forgotten, unratedUnits         *prometheus.CounterVec
	latency                                          *prometheus.HistogramVec
	closed, again, unrated, overrun, late, strangers prometheus.Counter
	transactions                                     prometheus.Counter
}

func newMetrics(store *ledger.Store, registerer prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "dialtone_ocs_" + name, Help: help})
	}
	gauge := func(name, help string, read func(ctx context.Context) (int64, error)) prometheus.Collector {
		figure := ledger.NewFigure(read)

		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dialtone_ocs_" + name, Help: help}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()

			n, err := figure.Value(ctx)
			if err != nil {
				return math.NaN() // unknown; never a plausible number
			}

			return float64(n)
		})
	}

	m := metrics{
		requests: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "dialtone_ocs_requests_total", Help: "Credit-control requests, by type and result."},
			[]string{"type", "result"},
		),
		moved: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "dialtone_ocs_minor_units_total", Help: "Money moved by requests, by kind of movement."},
			[]string{"kind"},
		),
		forgotten: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "dialtone_ocs_forgotten_total", Help: "CDRs dropped and movements rolled up for their age."},
			[]string{"what"},
		),
		unratedUnits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_ocs_unrated_units_total", Help: "Use that was reported in units that the service is not charged in, by unit.",
		}, []string{"unit"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dialtone_ocs_request_seconds", Help: "Time to decide a request and have it on disk, by type.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"type"}),
		closed:       counter("sessions_supervised_total", "Sessions closed because nothing was heard."),
		again:        counter("repeated_requests_total", "Requests that came again and moved no money."),
		unrated:      counter("rating_failures_total", "Services that have no price."),
		overrun:      counter("overrun_minor_units_total", "Used beyond what could be paid."),
		transactions: counter("transactions_total", "Transactions that requests were served in, many in each if many come."),
		strangers:    counter("foreign_requests_total", "Requests for sessions of other network functions."),
		late:         counter("late_reports_total", "Reports of use that no session was there for."),
	}

	registerer.MustRegister(
		m.requests,
		m.moved,
		m.forgotten,
		m.unratedUnits,
		m.latency,
		m.closed,
		m.again,
		m.unrated,
		m.overrun,
		m.late,
		m.strangers,
		m.transactions,
		gauge("ledger_imbalance", "Sum of all balances and of all entries; anything but 0 is a fault.", func(ctx context.Context) (int64, error) {
			sums, err := store.Sums(ctx)
			return max(sums.Balances, -sums.Balances) + max(sums.Entries, -sums.Entries), err
		}),
		gauge("sessions", "Charging sessions open.", func(ctx context.Context) (n int64, err error) {
			err = store.Read(ctx).Model(&Session{}).Count(&n).Error
			return n, err
		}),
		gauge("reserved_minor_units", "Money reserved for sessions.", store.Held),
	)

	return m
}
