// Package interrogation handles the requests of an I-CSCF (TS 24.229 §5.3): it asks the HSS which S-CSCF serves the user and
// passes the request on to it.
package interrogation

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/icscf/internal/selection"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// HSS answers the two queries of an I-CSCF. An error means that there is no answer.
type HSS interface {
	UserAuthorization(ctx context.Context, q *cx.UAR) (*cx.UAA, error)
	LocationInfo(ctx context.Context, q *cx.LIR) (*cx.LIA, error)
}

// Config is the part of the configuration that the procedures read.
type Config struct {
	HomeDomain string
	Servers    selection.Servers
	// ServerTimeout is how long an S-CSCF may stay silent to a REGISTER or an INVITE before another one is tried.
	ServerTimeout time.Duration
	// Avoid is how long an S-CSCF that was found dead is tried last.
	Avoid time.Duration
}

// Options are the dependencies of an Interrogator.
type Options struct {
	Stack *stack.Stack
	HSS   HSS
	// Reached reports whether the HSS has been connected since the start; nil: it has.
	Reached func() bool
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Interrogator is the I-CSCF's transaction user.
type Interrogator struct {
	config  Config
	stack   *stack.Stack
	hss     HSS
	reached func() bool
	log     *slog.Logger

	outcomes *prometheus.CounterVec
	away     away
}

// New returns an I-CSCF that takes no S-CSCF for dead yet. The stack may call it as soon as it runs.
func New(c Config, o Options) *Interrogator {
	i := &Interrogator{
		config: c, stack: o.Stack, hss: o.HSS, reached: o.Reached, log: o.Log, away: away{lasts: c.Avoid},
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_icscf_requests_total", Help: "Requests interrogated, by method and what came of it.",
		}, []string{"method", "outcome"}),
	}
	o.Metrics.MustRegister(i.outcomes)

	return i
}

// HandleRequest serves one request.
func (i *Interrogator) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	request := tx.Request()

	if i.stack.AsksItself(request) {
		_ = tx.Reply(200, "")
		return
	}

	out, own, refused := i.stack.Forwardable(request)
	if refused != nil {
		i.refuse(tx, refused)
		return
	}

	if i.stack.Repeated(tx) {
		return
	}

	switch {
	case request.Method == "REGISTER" && i.starting(), !sip.Has(out, "Route") && !tagged(request) && i.starting():
		i.refuse(tx, early)
	case request.Method == "REGISTER":
		i.register(ctx, tx, out)
	case sip.Has(out, "Route"): // within a dialog, or on its way to somebody else: nothing to ask the HSS
		i.stack.Forward(tx, stack.Plan{Groups: [][]stack.Branch{{{Request: out}}}})
	case tagged(request):
		i.refuse(tx, sip.Refuse(481, "an I-CSCF does not stay in dialogs: the request lacks their Route"))
	default:
		i.initial(ctx, tx, out, originating(own))
	}
}

// starting reports whether the HSS has not been connected yet since the start.
func (i *Interrogator) starting() bool { return i.reached != nil && !i.reached() }

// HandleAck passes on the ACK of a 2xx that still has a Route; others are not for the I-CSCF.
func (i *Interrogator) HandleAck(ctx context.Context, ack *stack.Ack) {
	out, _, refused := i.stack.Forwardable(ack.Request)
	if refused == nil && sip.Has(out, "Route") {
		_ = i.stack.SendStateless(ctx, out, stack.Destination{})
	}
}

func tagged(r *sip.Request) bool {
	_, found := r.To().Params.Get("tag")
	return found
}

// originating reports whether an AS or a PBX sends a request on behalf of a served user: the I-CSCF's URI has the "orig" parameter
// (TS 24.229 §5.3.2.1).
func originating(own []sip.NameAddr) bool {
	for _, route := range own {
		if u, err := sip.ParseURI(route.URI); err == nil && u.UriParams.Has("orig") {
			return true
		}
	}

	return false
}

// chargeable gives a request without an ICID one of its own (TS 24.229 §5.3.2.1).
func (i *Interrogator) chargeable(r *sip.Request) {
	if !sip.Has(r, "P-Charging-Vector") {
		home := i.config.HomeDomain
		sip.Set(r, "P-Charging-Vector", ims.ChargingVector{ICID: ims.NewICID(), GeneratedAt: home, OriginatingIOI: home}.String())
	}
}

// serverURI returns the SIP URI of an S-CSCF name; some HSSs leave out the scheme.
func serverURI(name string) string {
	if !strings.Contains(name, ":") {
		name = "sip:" + name
	}

	return name
}
