package stack

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests        *prometheus.CounterVec
	responses       *prometheus.CounterVec
	malformed       *prometheus.CounterVec
	retransmissions *prometheus.CounterVec
	unexpected      *prometheus.CounterVec
	refused         *prometheus.CounterVec
	transactions    prometheus.GaugeFunc
	connections     prometheus.GaugeFunc
}

func newMetrics(registerer prometheus.Registerer, s *Stack) metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dialtone_sip_" + name, Help: help}, labels)
	}
	m := metrics{
		requests: counter("requests_total", "Requests, by direction, endpoint and method.", "direction", "endpoint", "method"),
		responses: counter(
			"responses_total",
			"Responses, by direction, endpoint, method and status.",
			"direction",
			"endpoint",
			"method",
			"status",
		),
		malformed:       counter("malformed_total", "Messages that cannot be read, by endpoint.", "endpoint"),
		retransmissions: counter("retransmissions_total", "Retransmissions sent, and those received and absorbed.", "direction", "endpoint"),
		unexpected: counter(
			"unexpected_total",
			"Responses and CANCEL that match no transaction, are not for this stack or too many, by kind.",
			"endpoint",
			"kind",
		),
		refused: counter("refused_total", "Messages and connections refused, by reason.", "reason"),
		transactions: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dialtone_sip_transactions", Help: "Transactions alive."},
			func() float64 { return float64(s.transactions.len()) }),
		connections: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dialtone_sip_connections", Help: "Stream connections open."},
			func() float64 { return float64(s.streams.Load()) }),
	}

	if registerer != nil {
		registerer.MustRegister(m.requests, m.responses, m.malformed, m.retransmissions, m.unexpected, m.refused, m.transactions, m.connections)
	}

	return m
}
