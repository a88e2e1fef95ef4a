package gm

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// register implements TS 24.229 §5.2.2: a REGISTER goes to the home network with Path, ICID and the visited network, and the part of the
// answer meant for the P-CSCF is stored here.
func (p *Proxy) register(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request) {
	flow := tx.Flow()

	contact, instance, star, err := p.registering(out)
	if err != nil {
		p.refuse(tx, "registration", refusalOf(err, false))
		return
	}

	if emergency.Mixes(out) {
		p.refuse(tx, "registration", sip.Refuse(400, emergency.Mixed))
		return
	}

	private, credentials, err := identify(out)
	if err != nil {
		p.refuse(tx, "registration", refusalOf(err, false))
		return
	}

	if p.locked(tx, private, credentials) {
		return
	}

	token := p.bindings.Token(flow.Remote.Addr(), contact, private, instance)

	if !p.bindings.Room(token, emergency.Contact(contact)) {
		p.refuse(tx, "registration", refusalOf(binding.ErrFull, false))
		return
	}

	p.prepare(out, flow, token, credentials, p.security.Offered(tx.Request(), flow))

	home, err := p.home(ctx)
	if err != nil {
		p.refuse(tx, "registration", sip.Refuse(504, "the I-CSCF cannot be found").Because(err))
		return
	}

	order := p.order.Add(1)

	p.stack.Forward(tx, stack.Plan{
		Groups: [][]stack.Branch{{{Request: out, To: home}}},
		OnResponse: func(_ *stack.Branch, r *sip.Response) {
			trust.Cross(r, trust.Core, trust.Handset)
			p.authenticated(flow.Remote.Addr(), private, credentials, r)

			if r.StatusCode == 401 {
				p.challenged(tx.Request(), flow, r)
			} else if r.IsSuccess() {
				p.registered(tx.Request(), registration{
					flow: p.security.Return(flow), token: token, private: private, contact: contact, instance: instance, star: star,
					order: order,
				}, r)
			}

			if stack.Local(r) {
				sip.Refuse(504, "the I-CSCF did not answer").Replace(r)
			}
		},
		Then: func(final *sip.Response) { p.count("registration", out, final) },
	})
}

// registering returns the contact that the handset registers, if it names one, and the instance that it states.
func (p *Proxy) registering(r *sip.Request) (contact, instance string, star bool, err error) {
	contacts, star, err := sip.Contacts(r)
	if err != nil {
		return "", "", false, err
	}

	outbound := sip.Outbound(r, p.path("")) // as the registrar will see it

	for _, c := range contacts {
		taken, given := sip.Expires(c)
		if contact == "" || !given || taken > 0 { // a handset that has moved removes its old contact in the same request
			contact, instance = c.URI, binding.InstanceOf(c, outbound)
		}

		if !given || taken > 0 {
			break
		}
	}

	return contact, instance, star, nil
}

// identify returns who registers: the private identity of Authorization or, if the handset sends none, the one derived from the public
// identity (TS 24.229 §5.4.1.2.1).
func identify(r *sip.Request) (private string, credentials *digest.Credentials, err error) {
	if value := digest.Offered(sip.Values(r, "Authorization")); value != "" {
		given, err := digest.ParseCredentials(value)
		if err != nil {
			return "", nil, err
		}

		private, credentials = given.Username, &given
	}

	if private == "" {
		public, err := ims.CanonicalIdentity(r.To().Address.String())
		if err != nil {
			return "", nil, err
		}

		private = ims.PrivateFromPublic(public)
	}

	return private, credentials, nil
}

// prepare turns the handset's REGISTER into the one that goes to the core (§5.2.2.1).
func (p *Proxy) prepare(out *sip.Request, flow stack.Flow, token string, credentials *digest.Credentials, offered bool) {
	trust.Cross(out, trust.Handset, trust.Core)

	if b, found := p.bindings.ByToken(token); found && b.Registered && b.Flow.Remote.Addr() == flow.Remote.Addr() {
		p.bearers.provide(out, b)
	}

	sip.Remove(out, "Authorization") // of any scheme: the core might take it for this P-CSCF's

	if credentials != nil {
		switch {
		case p.security.Protected(flow):
			credentials.IntegrityProtected = "yes"
		case offered:
			credentials.IntegrityProtected = "no"
		default: // §5.2.2.4: absent where no associations are available
			credentials.IntegrityProtected = ""
		}

		sip.Add(out, "Authorization", credentials.String())
	}

	sip.Prepend(out, "Path", p.path(token))

	if !sip.HasToken(out, "Require", "path") {
		sip.Add(out, "Require", "path")
	}

	sip.Set(out, "P-Visited-Network-ID", `"`+p.config.VisitedNetwork+`"`)
	sip.Set(out, "P-Charging-Vector", p.chargingVector().String())

	if sip.Has(out, "Route") { // the handset used the Service-Route of an earlier registration
		sip.Remove(out, "Route")
	}
}

// path returns the Path by which the registrar reaches the handset of a binding.
func (p *Proxy) path(token string) string { return "<" + p.mw.URI(token) + ">" }

func withoutOption(m sip.Message, name, option string) {
	values := sip.Values(m, name)
	kept := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.EqualFold(v, option) })

	if len(kept) == len(values) {
		return
	}

	sip.Remove(m, name)

	if len(kept) > 0 {
		sip.Set(m, name, strings.Join(kept, ", "))
	}
}

func (p *Proxy) chargingVector() ims.ChargingVector {
	return ims.ChargingVector{ICID: ims.NewICID(), GeneratedAt: p.mw.Address().Addr().String(), OriginatingIOI: p.config.VisitedNetwork}
}

// registration is what a REGISTER requests, and from where.
type registration struct {
	flow                              stack.Flow // that requests to the handset go by
	token, private, contact, instance string
	star                              bool // Contact: *
	order                             uint64
}

// registered stores what the core's 200 says (§5.2.2.1): the routes, the identities, the expiry.
func (p *Proxy) registered(request *sip.Request, asked registration, r *sip.Response) {
	flow, token, private, contact := asked.flow, asked.token, asked.private, asked.contact
	seconds := expiry(r, contact)

	old, refreshed := p.bindings.ByToken(token)
	if refreshed && old.Order > asked.order {
		p.log.Info(
			"the answer to an older REGISTER came late and changes nothing",
			"impi",
			private,
			"contact",
			contact,
			"flow",
			flow.String(),
		)
		return
	}

	if asked.star || seconds == 0 {
		p.deregistered(asked)
		return
	}

	b := &binding.Binding{
		// Cloned, since a substring of a message would keep all of it in memory.
		Token: token, Private: strings.Clone(private), Contact: strings.Clone(contact), Flow: flow, Registered: true,
		Instance:     asked.instance,
		Emergency:    emergency.Contact(contact),
		Expires:      time.Now().Add(time.Duration(seconds) * time.Second),
		Identities:   uris(r, "P-Associated-URI"),
		ServiceRoute: uris(r, "Service-Route"),
		CallID:       strings.Clone(r.CallID().Value()), CSeq: r.CSeq().SeqNo, Order: asked.order,
	}

	b.ToContact = servedAtContact(request, b)

	if refreshed {
		b.Restored = old.Restored
	}

	if err := p.bindings.Put(b); err != nil {
		p.log.Error("registration cannot be kept", "impi", private, "cause", err)
		return
	}

	p.security.Established(flow, seconds)

	if refreshed && old.Flow.Remote.Addr() != flow.Remote.Addr() {
		p.log.Info(
			"handset has moved",
			"impi",
			private,
			"flow_before",
			old.Flow.String(),
			"flow",
			flow.String(),
			"dialogs",
			p.dialogs.Of(token),
		)
		p.security.Ended(old.Flow)
	}

	p.sayTranslated(request, b, refreshed)

	p.watch(b)
	p.signal(b)

	p.log.Info("registered", "impi", private, "impu", b.Default(), "contact", contact, "flow", flow.String(), "seconds", seconds)
}

// deregistered ends the binding that the handset has removed; with a star, all of its bindings from there.
func (p *Proxy) deregistered(asked registration) {
	b, found := p.bindings.ByToken(asked.token)
	if found && b.Registered && emergency.SameContact(b.Contact, asked.contact) { // else it has moved, and removes its old contact
		p.unregistered(b, asked)
	}

	if asked.star {
		for _, b := range p.bindings.Of(asked.private) {
			if b.Registered && b.Flow.Remote.Addr() == asked.flow.Remote.Addr() && b.Order < asked.order {
				p.unregistered(b, asked)
			}
		}
	}

	if _, used := p.bindings.At(asked.flow.Remote); !used { // else it is a query, or the removal of an old contact, by a registered handset
		p.security.Ended(asked.flow)
	}
}

// unregistered ends a binding that its handset has removed.
func (p *Proxy) unregistered(b *binding.Binding, asked registration) {
	ending := b.Ending("unregistered")
	ending.Order = asked.order
	p.end(b, ending)
}

// End ends a binding whose registration has ended: requests of the handset are not accepted any more, while the core's last requests still
// reach it.
func (p *Proxy) End(b *binding.Binding, why string) { p.end(b, b.Ending(why)) }

func (p *Proxy) end(b, ending *binding.Binding) {
	if !p.bindings.Replace(b, ending) {
		return // it is gone, or has just been refreshed
	}

	p.log.Info("registration ended", "impi", b.Private, "contact", b.Contact, "cause", ending.Ended)
	p.outcomes.WithLabelValues("registration", "REGISTER", ending.Ended).Inc()
	p.security.Ended(b.Flow)
	p.unwatch(b)
	p.bearers.silence(b.Token)
}

// Change replaces a binding.
func (p *Proxy) Change(old, b *binding.Binding) { p.bindings.Replace(old, b) }

// Of lists the bindings of a private identity.
func (p *Proxy) Of(private string) []*binding.Binding { return p.bindings.Of(private) }

// watch subscribes to a user's registrations (§5.2.3), except for an emergency registration, which the reg event does not include.
func (p *Proxy) watch(b *binding.Binding) {
	if p.regEvent != nil && !emergency.Contact(b.Contact) {
		p.regEvent.Registered(b)
	}
}

func (p *Proxy) unwatch(b *binding.Binding) {
	if p.regEvent != nil {
		p.regEvent.Ended(b.Private)
	}
}

// expiry returns the expiry of this contact in the 200; 0 if it is not among the registered ones.
func expiry(r *sip.Response, contact string) uint32 {
	contacts, _, err := sip.Contacts(r)
	if err != nil {
		return 0
	}

	for _, c := range contacts {
		if !emergency.SameContact(c.URI, contact) {
			continue
		}

		if seconds, given := sip.Expires(c); given {
			return seconds
		}

		return sip.Seconds(sip.Value(r, "Expires"), 0)
	}

	return 0
}

func uris(m sip.Message, name string) []string {
	var all []string

	for _, value := range sip.Values(m, name) {
		if a, err := sip.ParseNameAddr(value); err == nil {
			all = append(all, strings.Clone(a.URI))
		}
	}

	return all
}

// expired is called with each binding that has expired. Its dialogs are dropped without a BYE (§5.2.8.1.4).
func (p *Proxy) expired(b *binding.Binding) {
	if n := p.dialogs.RemoveAll(b.Token); n > 0 {
		p.log.Warn("a registration ended with dialogs", "impi", b.Private, "contact", b.Contact, "dialogs", n)
	}

	if b.Guest || b.Ended != "" {
		return
	}

	p.bearers.silence(b.Token)
	p.log.Info("registration expired", "impi", b.Private, "contact", b.Contact)
	p.outcomes.WithLabelValues("registration", "REGISTER", "expired").Inc()
	p.security.Ended(b.Flow)
	p.unwatch(b)
}
