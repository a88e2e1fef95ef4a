// Package gm implements the procedures of a P-CSCF (TS 24.229 §5.2). It stands between the handsets, which it does not trust, and the core,
// which trusts it.
package gm

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/dialog"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pcscf/internal/regevent"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Config is the part of the configuration that the procedures read.
type Config struct {
	HomeDomain     string
	VisitedNetwork string
	Interrogator   string // SIP URI of the I-CSCF
	Enforce        bool   // refuse a Route that differs from the Service-Route, instead of replacing it
	ByAddress      ByAddress
	MaxBindings    int // handsets at the same time
	MaxGuests      int // unregistered handsets with an emergency call, at the same time
	MaxDialogs     int // of one handset at the same time
	Subscriptions  int // of the P-CSCF to the registrations of users at the same time (§5.2.3); 0: it does not subscribe
}

// ByAddress is when the only handset at an address is taken for the sender of requests from there that have neither the port nor the
// Contact of its registration. By UDP in clear any process behind that address could call as that handset.
type ByAddress string

// The values of ByAddress.
const (
	Never  ByAddress = "never"
	Stream ByAddress = "stream" // by a connection or a security association
	Always ByAddress = "always"
)

// Options are what a Proxy works with.
type Options struct {
	Stack     *stack.Stack
	Gm        []*stack.Endpoint // towards handsets
	Mw        *stack.Endpoint   // towards the core
	Security  Security
	Journal   binding.Keeper    // nil: no registration is saved across restarts
	Guard     *protection.Guard // nil: all sources are accepted
	Bearers   *Bearers          // nil: calls request no bearers
	Emergency Emergency
	Log       *slog.Logger
	Metrics   prometheus.Registerer
}

// Proxy is the P-CSCF's transaction user.
type Proxy struct {
	config      Config
	stack       *stack.Stack
	gm          []*stack.Endpoint
	mw          *stack.Endpoint
	bindings    *binding.Table
	dialogs     *dialog.Table
	security    Security
	regEvent    *regevent.Subscriber // nil: the P-CSCF does not subscribe
	guard       *protection.Guard
	bearers     *Bearers
	emergencies Emergency
	log         *slog.Logger

	outcomes       *prometheus.CounterVec
	emergencyCalls *prometheus.CounterVec
	began          time.Time
	guests         sync.Mutex    // held while a guest comes or goes, so that none goes while its next call comes
	order          atomic.Uint64 // of REGISTERs, as they went on
}

// New returns a proxy without handsets. The stack may call it as soon as it runs.
func New(c Config, o Options) *Proxy {
	p := &Proxy{
		config:      c,
		stack:       o.Stack,
		gm:          o.Gm,
		mw:          o.Mw,
		dialogs:     dialog.NewTable(c.MaxDialogs, o.Bearers.ended),
		security:    o.Security,
		guard:       o.Guard,
		bearers:     o.Bearers,
		emergencies: o.Emergency,
		log:         o.Log,
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pcscf_requests_total", Help: "Requests by direction, method and what came of them.",
		}, []string{"direction", "method", "outcome"}),
		emergencyCalls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pcscf_emergency_calls_total", Help: "Requests for emergency services, by who sends them and what came of them.",
		}, []string{"sender", "outcome"}),
		began: time.Now(),
	}
	p.bindings = binding.NewTable(binding.Limits{Bindings: c.MaxBindings, Guests: c.MaxGuests}, p.expired, o.Journal)
	p.dialogs.Idle = p.leave

	o.Metrics.MustRegister(p.outcomes, p.emergencyCalls, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_pcscf_bindings", Help: "Handsets registered or registering.",
	}, func() float64 { return float64(p.bindings.Len()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_pcscf_dialogs", Help: "Dialogs of handsets, and initial requests on their way.",
	}, func() float64 { return float64(p.dialogs.Len()) }))

	if c.Subscriptions > 0 {
		p.regEvent = regevent.New(regevent.Options{
			Registrations: p, Sender: p.stack, Own: p.mw.Address().String(), Home: p.home, Endpoint: p.mw, Network: c.VisitedNetwork,
			Limit: c.Subscriptions, Log: o.Log, Metrics: o.Metrics,
		})
	}

	return p
}

var errUnprotected = errors.New("its security associations are gone")

// Restore restores a registration saved by an earlier process, and subscribes to it.
func (p *Proxy) Restore(b *binding.Binding) error {
	if b.Protected() && !p.security.Protected(b.Flow) {
		return errUnprotected
	}

	if err := p.bindings.Restore(b); err != nil {
		return err
	}

	p.bearers.adopt(b, p.whenLost(b.Token))
	p.watch(b)

	return nil
}

// Handsets returns the bindings of all handsets, in no order.
func (p *Proxy) Handsets() []*binding.Binding { return p.bindings.All() }

// Run does the background work until ctx ends: it removes expired dialogs and subscribes to registrations.
func (p *Proxy) Run(ctx context.Context) {
	var running sync.WaitGroup

	running.Go(func() { p.dialogs.Run(ctx) })

	if p.guard != nil {
		running.Go(func() { p.guard.Run(ctx) })
	}

	if p.regEvent != nil {
		running.Go(func() { p.regEvent.Run(ctx) })
	}

	running.Wait()
}

// Close stops the timers of the bindings, when neither Run nor the stack runs any more.
func (p *Proxy) Close() { p.bindings.Close() }

// home returns the destination of requests to the home network: its I-CSCF.
func (p *Proxy) home(ctx context.Context) (stack.Destination, error) {
	home, err := sip.ParseURI(p.config.Interrogator)
	if err != nil {
		return stack.Destination{}, err
	}

	targets, err := p.stack.Resolver().Resolve(ctx, home)

	return stack.Destination{Endpoint: p.mw, Targets: targets}, err
}

// maxCSeq is the highest number that a handset may use. The remaining ones below 2^31 (RFC 3261 §8.1.1.5) are for the BYE that the S-CSCF
// sends in its name when the credit is used up.
const maxCSeq = 1<<31 - 1<<8

// HandleRequest serves one request. Its source decides what it may do.
func (p *Proxy) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	request := tx.Request()
	fromCore := tx.Flow().Endpoint == p.mw

	if !fromCore && !p.admitted(tx) {
		return
	}

	if !fromCore && request.CSeq().SeqNo > maxCSeq {
		p.refuse(tx, "originating", sip.Refuse(400, "CSeq leaves no number for those who end the call"))
		return
	}

	if p.stack.AsksItself(request) {
		_ = tx.Reply(200, "")
		return
	}

	if !fromCore {
		if refusal := p.security.Screen(request, tx.Flow()); refusal != nil {
			p.refuse(tx, "access", refusal)
			return
		}
	}

	if fromCore && p.regEvent != nil && p.regEvent.Takes(request) {
		p.regEvent.HandleNotify(tx)
		return
	}

	passing := request
	if !fromCore && request.Method == "BYE" {
		passing = mended(request)
	}

	out, own, refusal := p.forwardable(passing)
	if refusal != nil {
		p.refuse(tx, direction(fromCore), refusal)
		return
	}

	switch {
	case fromCore && request.Method == "REGISTER":
		p.refuse(tx, "terminating", sip.Refuse(403, "REGISTER comes from handsets, not from the core"))
	case fromCore:
		p.terminate(ctx, tx, out, own)
	case request.Method == "REGISTER":
		p.register(ctx, tx, out)
	default:
		p.originate(ctx, tx, out, own)
	}
}

// forwardable returns the request as forwarded: without the option tag of the security agreement, which ends here (RFC 3329 §2.3.1).
func (p *Proxy) forwardable(r *sip.Request) (out *sip.Request, own []sip.NameAddr, refusal *sip.Refusal) {
	out, own, refusal = p.stack.Forwardable(r, agreement.Option)
	if refusal != nil {
		return nil, nil, refusal
	}

	withoutOption(out, "Require", agreement.Option)
	withoutOption(out, "Proxy-Require", agreement.Option)

	return out, own, nil
}

// mended returns a handset's BYE without what a proxy would refuse: the handset has left the call whatever the answer is, and would go on
// paying. The route is that of the dialog in any case.
func mended(bye *sip.Request) *sip.Request {
	out := sip.Copy(bye)

	if h := out.MaxForwards(); h != nil && h.Val() == 0 && len(out.GetHeaders("Via")) == 1 {
		hops := sip.MaxForwardsHeader(sip.MaxForwards)
		out.ReplaceHeader(&hops)
	}

	sip.Remove(out, "Proxy-Require")

	for _, text := range sip.Values(out, "Route") {
		route, err := sip.ParseNameAddr(text)
		if err == nil {
			_, err = sip.ParseURI(route.URI)
		}

		if err != nil {
			sip.Remove(out, "Route")
			break
		}
	}

	return out
}

// HandleAck forwards the ACK of a 2xx, which cannot be refused.
func (p *Proxy) HandleAck(ctx context.Context, ack *stack.Ack) {
	out, own, refusal := p.forwardable(ack.Request)
	if refusal != nil {
		return
	}

	b, found := p.party(own)
	if !found {
		p.outcomes.WithLabelValues("ack", "ACK", "no dialog here").Inc()
		return
	}

	if ack.Flow.Endpoint == p.mw {
		k := dialogKey(out, b, true)
		p.acknowledges(ctx, k, out, true)
		defer p.acknowledged(k)

		shownToHandset(out)
		if p.stack.SendStateless(ctx, out, p.handset(b)) != nil { // the connection is gone, as it was for the INVITE
			if to, found := contacted(b); found {
				_ = p.stack.SendStateless(ctx, out, to)
			}
		}

		return
	}

	if !p.through(b, ack.Flow) || p.security.Screen(ack.Request, ack.Flow) != nil {
		p.outcomes.WithLabelValues("ack", "ACK", "of another handset").Inc()
		return
	}

	k := dialogKey(out, b, false)

	d, found := p.dialogOf(k, out, b)
	if !found {
		p.outcomes.WithLabelValues("ack", "ACK", "no dialog here").Inc()
		return
	}

	to, ok := p.follow(ctx, out, d)
	if !ok {
		p.outcomes.WithLabelValues("ack", "ACK", "another route").Inc()
		return
	}

	p.acknowledges(ctx, k, out, false)
	defer p.acknowledged(k)

	trust.Cross(out, trust.Handset, trust.Core)
	_ = p.stack.SendStateless(ctx, out, to)
}

// party returns the handset named by a Route entry of this P-CSCF.
func (p *Proxy) party(own []sip.NameAddr) (*binding.Binding, bool) {
	for _, route := range own {
		if u, err := sip.ParseURI(route.URI); err == nil && u.User != "" {
			if b, found := p.bindings.ByToken(u.User); found {
				return b, true
			}
		}
	}

	return nil, false
}

// tokened reports whether a Route entry of this P-CSCF names a binding, existing or lost.
func tokened(own []sip.NameAddr) bool {
	return slices.ContainsFunc(own, func(route sip.NameAddr) bool {
		u, err := sip.ParseURI(route.URI)
		return err == nil && u.User != ""
	})
}

// through reports whether a flow is the handset's: from its address, and through a security association if it registered through one.
func (p *Proxy) through(b *binding.Binding, flow stack.Flow) bool {
	return b.Flow.Remote.Addr() == flow.Remote.Addr() && b.Protected() == p.security.Protected(flow)
}

func (p *Proxy) count(direction string, r *sip.Request, response *sip.Response) {
	p.counted(direction, string(r.Method), response.StatusCode)
}

// shownToHandset removes from a message of the core what a handset may not see (TS 24.229 §4.4, RFC 3325 §7).
func shownToHandset(m sip.Message) {
	trust.Cross(m, trust.Core, trust.Handset)

	if hidden(m) {
		sip.Remove(m, "P-Asserted-Identity")
	}
}

// shownInCancel returns the header fields of the core's CANCEL that a handset may see.
func shownInCancel(why []sip.Header) []sip.Header {
	return trust.CrossCancel(why, trust.Core, trust.Handset)
}

// recordRoute adds this P-CSCF to the route of a dialog, with a URI for each side, so that either side can reach it (RFC 5658). The topmost
// is that of the side to which the request leaves.
func (p *Proxy) recordRoute(out *sip.Request, b *binding.Binding, towardsCore bool) {
	handset, core := b.Flow.Named().URI(b.Token), p.mw.URI(b.Token)
	if b.Flow.Transport == "TCP" {
		handset += ";transport=tcp"
	}

	if towardsCore {
		sip.AddRecordRoute(out, handset)
		sip.AddRecordRoute(out, core)
	} else {
		sip.AddRecordRoute(out, core)
		sip.AddRecordRoute(out, handset)
	}
}

func direction(fromCore bool) string {
	if fromCore {
		return "terminating"
	}

	return "originating"
}

func makesDialog(r *sip.Request) bool {
	return slices.Contains([]string{"INVITE", "SUBSCRIBE", "REFER"}, string(r.Method))
}

func inDialog(r *sip.Request) bool {
	_, tagged := r.To().Params.Get("tag")
	return tagged
}
