package registrar

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// HandleRegister serves a REGISTER (TS 24.229 §5.4.1): it classifies the request, steps the machines and carries out their actions.
func (r *Registrar) HandleRegister(ctx context.Context, tx sip.Answering) {
	req, refusal := parseRegister(tx.Request(), &r.policy)
	if refusal != nil {
		r.refuse(tx, nil, refusal)
		return
	}

	release, err := r.locks.lock(ctx, req.private)
	if err != nil {
		r.refuse(tx, req, sip.Refuse(503, "the S-CSCF stops"))
		return
	}
	defer release()

	p := &procedure{registrar: r, tx: tx, request: req}
	p.run(ctx)
}

// procedure is one REGISTER being served.
type procedure struct {
	registrar      *Registrar
	tx             sip.Answering
	request        *request
	record         *record // nil: the public identity is not registered here
	registrant     *registrant
	was            State           // when the REGISTER came
	authentication *authentication // the one that the REGISTER answers, or the one that it begins

	first AuthenticationEvent // the event of the authentication
	next  Event               // the next event of the registration
	ends  bool                // no contact is left
	auts  [14]byte

	then      func(context.Context) // what follows the actions
	refusal   *sip.Refusal          // the refusal that Refuse and RefuseVector send
	assigned  *cx.SAA
	change    registration.Change
	notStored bool // the HSS does not keep this S-CSCF for the unregistered user
	answered  bool
}

// run classifies the REGISTER and steps until no event follows.
func (p *procedure) run(ctx context.Context) {
	p.find()

	if refusal := p.classify(time.Now()); refusal != nil {
		p.answer(refusal)
		return
	}

	for p.then != nil {
		step := p.then
		p.then = nil
		step(ctx)
	}

	if !p.answered { // no path of the machines ends so
		p.unexpected(p.first, p.registrar.store.state(p.registrant))
	}
}

// find looks up the user's record and authentication.
func (p *procedure) find() {
	r := p.registrar
	p.record = r.store.find(p.request.public)
	p.registrant = r.registrantOf(p.record, p.request.private)
	p.was = r.store.state(p.registrant)

	if p.request.hasCredentials && p.request.credentials.Nonce != "" {
		p.authentication = r.authentications.find(p.request.private, p.request.credentials.Nonce)
	}
}

// bindings returns the current contacts of the set.
func (p *procedure) bindings() []*registration.Binding {
	if g := p.registration(); g != nil {
		return g.Bindings
	}

	return nil
}

func (p *procedure) registration() *registration.Registration {
	if p.record == nil {
		return nil
	}

	return p.record.current.Load()
}

// classify sets the events for a REGISTER (§5.4.1.1, §5.4.1.2). A refusal concerns the contacts that the handset wants, and is sent only
// to an authenticated handset.
func (p *procedure) classify(now time.Time) *sip.Refusal {
	c, policy := p.request.credentials, &p.registrar.policy.Authentication

	next, _, refusal := update(p.bindings(), p.request, &p.registrar.policy, now, func() uint32 { return 0 })
	p.ends = refusal == nil && p.request.ends(next)

	authenticate := func(ctx context.Context) { p.authenticate(ctx, p.first) }

	if p.authentication != nil && (p.answersOutside() || protected(c.IntegrityProtected) || !p.wantsProtection(policy)) {
		event, unreadable := p.classifyResponse()
		if unreadable != nil {
			return unreadable
		}

		p.first, p.then = event, authenticate

		if event == ResponseRight {
			return refusal
		}

		return nil
	}

	if p.authentication == nil && p.trusted(policy) {
		if p.next = Vouched; p.ends {
			p.next = VouchedEnd
		}

		p.then = p.register

		return refusal
	}

	p.first, p.then = Unprotected, authenticate
	if p.authentication == nil && c.Nonce != "" && (c.Response != "" || c.AUTS != "") {
		p.first = NonceUnknown
	}

	p.authentication = p.newAuthentication()

	return nil
}

// answersOutside reports whether the answer is AUTS or empty: then the handset has no keys for security associations.
func (p *procedure) answersOutside() bool {
	c := p.request.credentials

	return c.AUTS != "" && p.authentication.asked.AKA || c.Response == ""
}

// wantsProtection reports whether an answer to a challenge counts only if it was protected (TS 24.229 §5.4.1.2.2).
func (p *procedure) wantsProtection(policy *Authentication) bool {
	offered := p.authentication.offered || unprotected(p.request)

	return policy.RequireProtection || policy.RefuseUnprotected && p.authentication.asked.AKA && offered
}

// unprotected reports whether the P-CSCF says that a REGISTER came outside the security associations that it offers.
func unprotected(r *request) bool { return strings.EqualFold(r.credentials.IntegrityProtected, "no") }

func protected(integrity string) bool {
	return slices.ContainsFunc([]string{"yes", "tls-yes", "tls-pending", "tls-connected", "ip-assoc-yes", "ip-assoc-pending"},
		func(value string) bool { return strings.EqualFold(value, integrity) })
}

// trusted reports whether a REGISTER needs no challenge because the P-CSCF vouches for it: a refresh or end of known contacts, or any
// REGISTER if the operator says so.
func (p *procedure) trusted(policy *Authentication) bool {
	in := func(values []string) bool {
		return p.request.hasCredentials &&
			slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, p.request.credentials.IntegrityProtected) })
	}

	if in(policy.TrustAlways) {
		return true
	}

	if p.was != Registered || !in(policy.TrustRefresh) {
		return false
	}

	for _, w := range p.request.contacts {
		known := func(b *registration.Binding) bool {
			return b.Private == p.request.private && emergency.SameContact(b.Contact, w.contact)
		}
		if !slices.ContainsFunc(p.bindings(), known) {
			return false
		}
	}

	return true
}

// register steps the registration and carries out the actions of its row.
func (p *procedure) register(ctx context.Context) {
	actions, ok := p.registrar.store.step(p.registrant, p.next)
	if !ok {
		p.unexpected(p.next, p.registrar.store.state(p.registrant))
		return
	}

	p.act(ctx, actions)
}

// follow sets the event to step after the actions of the current row.
func (p *procedure) follow(event Event) { p.next, p.then = event, p.register }

func (p *procedure) act(ctx context.Context, actions []Action) {
	r, who := p.registrar, p.request

	for _, action := range actions {
		switch action {
		case AssignServer:
			p.assignServer(ctx, cx.AssignRegistration)
		case ReassignServer:
			p.assignServer(ctx, cx.ReRegistration)
		case ReleaseServer:
			p.releaseServer(ctx)
		case TakeBack:
			r.work.Add(func(ctx context.Context) { _ = r.takeBack(ctx, who.private, who.public) }) // it logs its own failures
		case UpdateContacts:
			p.updateContacts()
		case Accept:
			p.accept()
		case Refuse:
			p.answer(p.refusal)
		case Forbid:
			p.answer(p.forbidden())
		case ReportAuthFailure:
			r.reportAuthentication(ctx, who.private, who.public, cx.AuthenticationFailure)
		case Notify:
			r.publish(p.change)
		default:
			p.unexpected(action, r.store.state(p.registrant))
		}
	}
}

// updateContacts changes the contacts as the REGISTER asks (§5.4.1.2.2, §5.4.1.4). The registration steps under the same lock, so that
// nothing comes between.
func (p *procedure) updateContacts() {
	identities, private, refusal := p.profile()
	if refusal != nil {
		p.refusal = refusal
		p.follow(ContactsRefused)

		return
	}

	r, now := p.registrar, time.Now()
	rec := p.place(identities)

	var (
		changes []registration.ContactChange
		actions []Action
		ok      bool
	)

	before, after, err := r.change(rec, func(old *registration.Registration) (*registration.Registration, error) {
		next := &registration.Registration{Private: firstOf(private, p.request.private)}
		if old != nil {
			*next = *old
		}

		if identities != nil {
			next.Identities = identities
		}

		if p.assigned != nil && p.assigned.ChargingInformation != nil {
			next.ChargingHandle = registration.ChargingOf(p.assigned.ChargingInformation)
		}

		next.Bindings, changes, refusal = update(next.Bindings, p.request, &r.policy, now, r.contactID)
		if refusal != nil {
			return nil, refusal
		}

		if len(next.Bindings) > 0 {
			next.State, next.Until = registration.Registered, time.Time{}
		}

		return r.without(next, now, r.policy.KeepProfile && !p.notStored), nil
	}, func(after *registration.Registration) {
		actions, ok = p.registrant.run.Step(ContactsUpdated)
		rec.hold(p.registrant, after)
	})

	switch {
	case refusal != nil:
		p.refusal = refusal
		p.follow(ContactsRefused)
	case err != nil:
		p.refusal = sip.Refuse(503, err.Error(), sip.NewHeader("Retry-After", "60"))
		p.follow(ContactsRefused)
	case !ok:
		p.unexpected(ContactsUpdated, r.store.state(p.registrant))
	default:
		p.change = registration.Change{
			Before: before, After: after, Contacts: changes, Type: registrationType(before, after), Request: p.request.message,
		}
		p.then = func(ctx context.Context) { p.act(ctx, actions) }
	}
}

// profile returns the identities of the SAA's profile, if there is one or must be one.
func (p *procedure) profile() (identities []registration.Identity, private string, refusal *sip.Refusal) {
	g := p.registration()
	if p.ends || g != nil && !g.ProfileMissing() && (p.assigned == nil || len(p.assigned.UserData) == 0) {
		return nil, "", nil
	}

	if p.assigned == nil {
		return nil, "", sip.Refuse(500, "the registration ended while it was being changed")
	}

	if private, identities, refusal = p.registrar.profileOf(p.assigned); refusal != nil {
		return nil, "", refusal
	}

	if !slices.ContainsFunc(identities, func(i registration.Identity) bool { return i.Matches(p.request.public) }) {
		return nil, "", sip.Refuse(500, "the profile that the HSS sent does not have "+p.request.public)
	}

	return identities, private, nil
}

// place returns the record of the set: the one that serves one of its identities, or a new one.
func (p *procedure) place(identities []registration.Identity) *record {
	if p.record != nil && p.registration() != nil {
		return p.record
	}

	for i := range identities {
		if rec := p.registrar.store.find(identities[i].URI); rec != nil {
			return rec
		}
	}

	return p.registrar.newRecord()
}

func registrationType(before, after *registration.Registration) ifc.RegistrationType {
	switch {
	case after == nil || after.State == registration.Unregistered:
		return ifc.DeRegistration
	case before == nil || before.State == registration.Unregistered:
		return ifc.InitialRegistration
	default:
		return ifc.ReRegistration
	}
}

// answer refuses the REGISTER.
func (p *procedure) answer(refusal *sip.Refusal) {
	p.answered = true
	p.registrar.refuse(p.tx, p.request, refusal)
}

func (p *procedure) respond(response *sip.Response) {
	p.answered = true
	p.registrar.respond(p.tx, response)
}

// unexpected logs and counts an event without a row, or an action out of place; neither must happen.
func (p *procedure) unexpected(what, state fmt.Stringer) {
	p.registrar.unexpected(what, state)

	if !p.answered {
		p.answer(sip.Refuse(500, "no procedure for "+what.String()+" in "+state.String()))
	}
}

func (r *Registrar) unexpected(what, state fmt.Stringer) {
	r.metrics.unexpected.Inc()
	r.log.Error("the registrar's machine has no row for what happened", "event", what, "state", state)
}

func (r *Registrar) respond(tx sip.Answering, response *sip.Response) {
	if err := tx.Respond(response); err != nil {
		r.log.Warn("the answer to a REGISTER could not be sent", "status", response.StatusCode, "cause", err)
	}
}
