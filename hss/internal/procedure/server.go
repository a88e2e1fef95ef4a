package procedure

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

type cxResult = diameter.Result

// Policy is what the specification leaves to the operator.
type Policy struct {
	MaxVectors      int    `yaml:"max_vectors"`       // given out in one MAA, however many the S-CSCF asks for
	DigestRealm     string `yaml:"digest_realm"`      // realm of SIP Digest users; empty: the domain
	AKA             string `yaml:"aka"`               // scheme of SIMs for S-CSCFs that leave it to the HSS
	StoreServerName bool   `yaml:"store_server_name"` // keep the S-CSCF of a user who de-registers, if it asks for that
}

// Server answers the Cx commands.
type Server struct {
	store    *subscriber.Store
	policy   Policy
	wake     func()
	attempts *attempt.Log
	log      *slog.Logger
	metrics  metrics
}

// NewServer serves Cx on the node, which must not run yet. wake says that an RTR has been queued.
func NewServer(
	n *diameter.Node,
	store *subscriber.Store,
	p Policy,
	wake func(),
	attempts *attempt.Log,
	log *slog.Logger,
	registry prometheus.Registerer,
) *Server {
	s := &Server{store: store, policy: p, wake: wake, attempts: attempts, log: log, metrics: newMetrics(registry)}

	cx.Handle(n, features, s.userAuthorization)
	cx.Handle(n, features, s.multimediaAuth)
	cx.Handle(n, features, s.serverAssignment)
	cx.Handle(n, features, s.locationInfo)

	return s
}

type metrics struct {
	vectors            prometheus.Counter
	resynchronisations *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) metrics {
	m := metrics{
		vectors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_hss_vectors_total", Help: "AKA vectors given out.",
		}),
		resynchronisations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_hss_resynchronisations_total", Help: "AUTS received, by what came of them.",
		}, []string{"outcome"}),
	}
	registry.MustRegister(m.vectors, m.resynchronisations)

	return m
}
