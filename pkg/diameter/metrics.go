package diameter

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	served     *prometheus.HistogramVec
	timeouts   *prometheus.CounterVec
	malformed  *prometheus.CounterVec
	open       *prometheus.GaugeVec
	unexpected prometheus.Counter
	refused    prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_diameter_requests_total", Help: "Requests sent and received, by command and result.",
		}, []string{"direction", "command", "vendor", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dialtone_diameter_answer_seconds", Help: "Time from a request sent to its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"command"}),
		served: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dialtone_diameter_procedure_seconds", Help: "Time to serve a request.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14),
		}, []string{"command"}),
		timeouts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_diameter_timeouts_total", Help: "Requests whose answer did not come in time.",
		}, []string{"peer"}),
		malformed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_diameter_malformed_total", Help: "Messages that could not be decoded, by the result they were answered with.",
		}, []string{"result"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dialtone_diameter_peer_open", Help: "1 while the connection to the peer is open.",
		}, []string{"peer"}),
		unexpected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_diameter_unexpected_answers_total", Help: "Answers that no request waited for.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_diameter_connections_refused_total", Help: "Connections beyond max_connections.",
		}),
	}

	if registerer != nil {
		registerer.MustRegister(m.requests, m.latency, m.served, m.timeouts, m.malformed, m.open, m.unexpected, m.refused)
	}

	return m
}
