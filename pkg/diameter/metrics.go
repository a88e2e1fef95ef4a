package diameter

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/label"
)

type metrics struct {
	requests   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	served     *prometheus.HistogramVec
	timeouts   *prometheus.CounterVec
	malformed  *prometheus.CounterVec
	open       *prometheus.GaugeVec
	unexpected prometheus.Counter
	refused    prometheus.Counter
	repeated   prometheus.Counter
	failovers  *prometheus.CounterVec
	counters   *sync.Map // countKey to prometheus.Counter
	counted    *atomic.Int32
	observers  *sync.Map // observerKey to prometheus.Observer
}

type countKey struct {
	direction string
	command   commandKey
	result    Result
}

type observerKey struct {
	histogram *prometheus.HistogramVec
	command   commandKey
}

// maxCounted is the number of combinations of command and result that have counters of their own: a peer can invent results.
const maxCounted = 1024

func newMetrics(registerer prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_diameter_requests_total", Help: "Requests sent and received, by command and result.",
		}, []string{"direction", "command", "vendor", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "dialtone_diameter_answer_seconds",
			Help:    "Time from a request sent to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
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
			Name: "dialtone_diameter_connections_refused_total", Help: "Connections beyond max_connections, or beyond the share of their source.",
		}),
		repeated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_diameter_repeated_identities_total", Help: "Requests that had Origin-Host or Origin-Realm twice, equal, and were taken.",
		}),
	}

	m.failovers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_diameter_failovers_total",
		Help: "Peers that the watchdog took out of service, requests that were sent again to another peer, dead connections that a new one " +
			"replaced.",
	}, []string{"of"})
	m.counters, m.counted, m.observers = &sync.Map{}, &atomic.Int32{}, &sync.Map{}

	if registerer != nil {
		registerer.MustRegister(
			m.requests,
			m.latency,
			m.served,
			m.timeouts,
			m.malformed,
			m.open,
			m.unexpected,
			m.refused,
			m.repeated,
			m.failovers,
		)
	}

	return m
}

func (n *Node) commandName(m *Message) string {
	if command, err := n.dictionary.parser.FindCommand(m.Header.ApplicationID, m.Header.CommandCode); err == nil {
		return command.Short
	}

	return strconv.FormatUint(uint64(m.Header.CommandCode), 10)
}

// commandLabel returns the command's name, if this node knows the command.
func (n *Node) commandLabel(m *Message) string {
	if _, err := n.dictionary.parser.FindCommand(m.Header.ApplicationID, m.Header.CommandCode); err != nil {
		return label.Other
	}

	return n.commandName(m)
}

// count counts a request by its outcome.
func (n *Node) count(direction string, m *Message, r Result) {
	key := countKey{direction, commandKey{m.Header.ApplicationID, m.Header.CommandCode}, r}

	if counter, found := n.metrics.counters.Load(key); found {
		counter.(prometheus.Counter).Inc()
		return
	}

	if n.metrics.counted.Add(1) > maxCounted {
		n.metrics.requests.WithLabelValues(direction, n.commandLabel(m), "", label.Other).Inc()
		return
	}

	counter := n.metrics.requests.WithLabelValues(direction, n.commandLabel(m), label.Vendor(r.Vendor), label.Result(r.Code))
	n.metrics.counters.Store(key, counter)
	counter.Inc()
}

func (m *metrics) observe(histogram *prometheus.HistogramVec, n *Node, message *Message, d time.Duration) {
	key := observerKey{histogram, commandKey{message.Header.ApplicationID, message.Header.CommandCode}}
	if n.commandLabel(message) == label.Other {
		key = observerKey{histogram: histogram}
	}

	observer, found := m.observers.Load(key)
	if !found {
		observer = histogram.WithLabelValues(n.commandLabel(message))
		m.observers.Store(key, observer)
	}

	observer.(prometheus.Observer).Observe(d.Seconds())
}
