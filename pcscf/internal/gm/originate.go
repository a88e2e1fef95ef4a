package gm

import (
	"context"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// originate implements TS 24.229 §5.2.6.3: a request from a handset.
func (p *Proxy) originate(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request, own []sip.NameAddr) {
	if inDialog(out) {
		p.withinDialog(ctx, tx, out, own)
		return
	}

	if service, called := p.emergencies.Numbers.Called(out.Recipient); called {
		p.callForHelp(ctx, tx, out, service)
		return
	}

	b, err := p.sender(tx)
	if err != nil {
		p.refuse(tx, "originating", refusalOf(err, false))
		return
	}

	p.heard(b)

	if b.Emergency { // §5.2.10.3
		p.refuse(tx, "originating", sip.Refuse(403, "an emergency registration is for emergency calls alone"))
		return
	}

	if !reachable(out) {
		p.refuse(tx, "originating", sip.Refuse(400, withoutContact))
		return
	}

	if !p.route(tx, out, b) {
		return
	}

	started, err := p.begin(tx.Request(), b, false)
	if err != nil {
		p.refuse(tx, "originating", refusalOf(err, false))
		return
	}

	if strings.EqualFold(sip.Value(out, "Priority"), psapCallback) { // a handset may not state it (RFC 7090 §4)
		sip.Remove(out, "Priority")
	}

	assert(out, b)
	p.bearers.provide(out, b)
	vector := p.chargingVector()
	sip.Set(out, "P-Charging-Vector", vector.String())
	started.charged(vector)

	if makesDialog(out) {
		p.recordRoute(out, b, true)
	}

	started.bear(ctx, tx, out)

	p.stack.Forward(tx, stack.Plan{
		Groups: [][]stack.Branch{{{Request: out, To: stack.Destination{Endpoint: p.mw}}}},
		OnResponse: func(_ *stack.Branch, r *sip.Response) {
			sip.RestoreRecordRoute(r, out)
			started.record(r)
			started.ask(r)
			p.towardsHandset(r)
		},
		Then: func(final *sip.Response) {
			started.finished(final)
			p.count("originating", out, final)
		},
	})
}

// psapCallback is the Priority of an emergency centre's callback.
const psapCallback = "psap-callback"

// sender returns the handset that sent the request, found by its source and by what it states about its sender.
func (p *Proxy) sender(tx *stack.ServerTransaction) (*binding.Binding, error) {
	r := tx.Request()

	claim := p.claim(tx.Flow(), r)
	claim.From = r.From().Address.String()

	return p.bindings.Sender(claim)
}

// claim returns what a handset's message states about its sender, except From.
func (p *Proxy) claim(flow stack.Flow, m sip.Message) binding.Claim {
	claim := binding.Claim{
		Source: p.security.Return(flow).Remote, Stream: flow.Transport == "TCP", Protected: p.security.Protected(flow),
		Contact: contactOf(m), Preferred: uris(m, "P-Preferred-Identity"),
	}
	claim.AnyPort = p.config.ByAddress == Always
	claim.Alone = p.config.ByAddress == Always || p.config.ByAddress == Stream && (claim.Stream || claim.Protected)

	return claim
}

// route sets Route to the Service-Route of the registration (§5.2.6.3.3 2). Any other Route would bypass the S-CSCF, and with it
// authorisation and charging.
func (p *Proxy) route(tx *stack.ServerTransaction, out *sip.Request, b *binding.Binding) bool {
	given, err := sip.Routes(out)
	if err != nil {
		p.refuse(tx, "originating", sip.Refuse(400, "Route cannot be read"))
		return false
	}

	same := slices.EqualFunc(given, b.ServiceRoute, func(g sip.NameAddr, route string) bool { return sip.SameURI(g.URI, route) })

	if !same && p.config.Enforce {
		p.refuse(tx, "originating", sip.Refuse(400, "Route is not the Service-Route of the registration"))
		return false
	}

	routes := make([]sip.NameAddr, len(b.ServiceRoute))
	for i, uri := range b.ServiceRoute {
		routes[i] = sip.NameAddr{URI: uri}
	}

	sip.SetRoutes(out, routes)

	return true
}

// assert adds the user's identity for the core (§5.2.6.3.3 7): the one that the handset prefers, if it is registered; else the default one.
func assert(out *sip.Request, b *binding.Binding) {
	identity := b.Default()

	for _, value := range sip.Values(out, "P-Preferred-Identity") {
		if preferred, ok := registeredAs(value, b); ok {
			identity = preferred
			break
		}
	}

	trust.Cross(out, trust.Handset, trust.Core)

	if identity != "" {
		sip.Set(out, "P-Asserted-Identity", "<"+identity+">")
	}
}

// registeredAs returns the registered identity that a name-addr means.
func registeredAs(value string, b *binding.Binding) (string, bool) {
	a, err := sip.ParseNameAddr(value)
	if err != nil {
		return "", false
	}

	wanted, err := ims.CanonicalIdentity(a.URI)
	if err != nil {
		return "", false
	}

	for _, identity := range b.Identities {
		if canonical, err := ims.CanonicalIdentity(identity); err == nil && canonical == wanted {
			return identity, true
		}
	}

	return "", false
}

// withinDialog implements §5.2.6.3.5 to §5.2.6.3.9: the route is that of the dialog, and the sender must be the handset in it.
func (p *Proxy) withinDialog(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request, own []sip.NameAddr) {
	b, found := p.party(own)
	if !found && out.Method == "BYE" { // its Route belongs to a registration that this P-CSCF has lost
		var err error
		b, err = p.sender(tx)
		found = err == nil
	}

	if !found {
		p.refuse(tx, "originating", sip.Refuse(481, "no dialog of this handset goes through here"))
		return
	}

	if !p.through(b, tx.Flow()) {
		p.refuse(tx, "originating", sip.Refuse(403, "the dialog is another handset's"))
		return
	}

	p.heard(b)

	k := dialogKey(out, b, false)

	makes := p.notified(ctx, k, out, false)

	d, found := p.dialogOf(k, out, b)
	if !found {
		p.refuse(tx, "originating", sip.Refuse(403, "the handset has no such dialog"))
		return
	}

	to, ok := p.follow(ctx, out, d)
	if !ok {
		p.refuse(tx, "originating", sip.Refuse(400, "Route is not that of the dialog"))
		return
	}

	media := p.passes(ctx, k, tx, out, false)

	assert(out, b) // who pays, if the request is charged by itself
	p.bearers.provide(out, b)

	if makes || makesDialog(out) { // RFC 6665 §4.3
		p.recordRoute(out, b, true)
	}

	p.stack.Forward(tx, stack.Plan{
		Groups:     [][]stack.Branch{{{Request: out, To: to}}},
		OnResponse: func(_ *stack.Branch, r *sip.Response) { media.answered(r); p.towardsHandset(r) },
		Then: func(final *sip.Response) {
			p.updateDialog(k, b, out, final, false)
			media.over()
			p.count("originating", out, final)
		},
	})
}

// towardsHandset removes from a response what belongs to the trust domain. A 408 of this P-CSCF is the core's fault only if no response
// came from there; after a 1xx it is the called party that did not answer.
func (p *Proxy) towardsHandset(r *sip.Response) {
	shownToHandset(r)

	switch {
	case !stack.Local(r) || r.StatusCode != 408:
	case stack.Silent(r):
		sip.Refuse(504, "the S-CSCF did not answer").Replace(r)
	default:
		sip.Refuse(408, "nobody answered").Replace(r)
	}
}
