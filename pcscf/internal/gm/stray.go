package gm

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// strayTime is how long after its start a P-CSCF forwards responses to INVITEs of an earlier process: as long as they may ring.
const strayTime = 3 * time.Minute

// Stray forwards a response to an INVITE of an earlier process by its Via (RFC 3261 §16.11): otherwise nobody could answer a call that
// rings while the P-CSCF restarts. A handset's response goes to its S-CSCF only, and one of the core to a handset whose registration was
// restored. The S-CSCF knows the transaction, and corrects Record-Route.
func (p *Proxy) Stray(flow stack.Flow, r *sip.Response) stack.Passer {
	if time.Since(p.began) > strayTime {
		return nil
	}

	r.RemoveHeader("Via") // this P-CSCF's

	next, err := stack.ResponseAddress(r.Via())
	if err != nil {
		return nil
	}

	if flow.Endpoint == p.mw {
		b, found := p.bindings.At(next)
		if !found || b.Restored.IsZero() || p.guard != nil && !p.guard.Core(flow.Remote.Addr()) {
			return nil
		}

		return func(ctx context.Context) {
			shownToHandset(r)
			p.relayed("originating", r, p.stack.Relay(ctx, r, *p.handset(b).Flow))
		}
	}

	b, err := p.bindings.Sender(p.claim(flow, r)) // its connection is new
	if err != nil || b.Restored.IsZero() {
		return nil
	}

	transport := r.Via().Transport

	return func(ctx context.Context) {
		if !p.serves(ctx, b, next.Addr()) {
			return
		}

		trust.Cross(r, trust.Handset, trust.Core)

		if identity := b.Default(); identity != "" {
			sip.Set(r, "P-Asserted-Identity", "<"+identity+">")
		}

		p.bearers.provide(r, b)

		back := stack.Flow{Endpoint: p.mw, Transport: transport, Local: p.mw.Address(), Remote: next}
		p.relayed("terminating", r, p.stack.Relay(ctx, r, back))
	}
}

// serves reports whether an address is that of the S-CSCF of a registration.
func (p *Proxy) serves(ctx context.Context, b *binding.Binding, address netip.Addr) bool {
	if len(b.ServiceRoute) == 0 {
		return false
	}

	u, err := sip.ParseURI(b.ServiceRoute[0])
	if err != nil {
		return false
	}

	targets, err := p.stack.Resolver().Resolve(ctx, u)

	return err == nil && slices.ContainsFunc(targets, func(t stack.Target) bool { return t.Addr.Addr() == address })
}

func (p *Proxy) relayed(direction string, r *sip.Response, err error) {
	p.outcomes.WithLabelValues(direction, "INVITE", "response of before the restart").Inc()

	if err != nil {
		p.log.Warn("a response to an INVITE of before the restart cannot be passed on", "call_id", r.CallID().Value(), "cause", err)
	}
}
