package registrar

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Transaction is the part of a server transaction that a registrar needs.
type Transaction interface {
	Request() *sip.Request
	Respond(*sip.Response) error
}

// HandleRegister serves a REGISTER (TS 24.229 §5.4.1): it is classified, the machine says what is done, and it is done.
func (r *Registrar) HandleRegister(ctx context.Context, tx Transaction) {
	req, refusal := read(tx.Request(), &r.policy)
	if refusal != nil {
		r.refuse(tx, nil, refusal)
		return
	}

	release, err := r.locks.lock(ctx, req.private)
	if err != nil {
		r.refuse(tx, req, refuse(503, "the S-CSCF stops"))
		return
	}
	defer release()

	p := &procedure{registrar: r, tx: tx, request: req}
	if refusal := p.run(ctx); refusal != nil {
		r.refuse(tx, req, refusal)
	}
}

// procedure is one REGISTER in work.
type procedure struct {
	registrar *Registrar
	tx        Transaction
	request   *request
	record    *record // nil: the public identity is not known here
	challenge *challenge
	phase     Phase
	event     Event

	vector    *cx.MAA
	assigned  *cx.SAA
	response  *sip.Response
	change    registration.Change
	notStored bool // the HSS does not keep this S-CSCF for the unregistered user
	done      bool // an action has answered; what follows is left out
}

// run classifies, steps and acts.
func (p *procedure) run(ctx context.Context) *Refusal {
	p.find()

	refusal := p.classify(time.Now())
	if refusal != nil {
		return refusal
	}

	row, known := Machine.Step(p.phase, p.event)
	if !known || row.Why != "" { // a test proves that no REGISTER leads here
		p.registrar.metrics.unexpected.Inc()
		return refuse(500, "no procedure for "+p.event.String()+" in "+p.phase.String())
	}

	if p.challenge != nil && p.answers() && !p.registrar.settle(p.challenge) {
		return refuse(403, "the challenge was answered twice at the same time")
	}

	for _, action := range row.Do {
		if refusal := p.do(ctx, action); refusal != nil || p.done {
			return refusal
		}
	}

	return nil
}

// find looks up what is known of the user.
func (p *procedure) find() {
	p.record = p.registrar.store.find(p.request.public)

	if p.request.hasCredentials && p.request.credentials.Nonce != "" {
		p.challenge = p.registrar.challenges.find(p.request.private, p.request.credentials.Nonce)
	}

	registered := len(p.bindings()) > 0 &&
		slices.ContainsFunc(p.bindings(), func(b *registration.Binding) bool { return b.Private == p.request.private })

	switch pending := p.challenge != nil || p.registrar.challenges.pending(p.request.private); {
	case registered && pending:
		p.phase = Reauthenticating
	case registered:
		p.phase = RegisteredPhase
	case pending:
		p.phase = AuthPending
	}
}

// bindings are the contacts of the set as they are now.
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

// classify says which event a REGISTER is (§5.4.1.1, §5.4.1.2). A refusal is of what the handset wants, and is told only to
// who is known to be the handset.
func (p *procedure) classify(now time.Time) *Refusal {
	c, policy := p.request.credentials, &p.registrar.policy.Authentication

	next, _, refusal := update(p.bindings(), p.request, &p.registrar.policy, now, func() uint32 { return 0 })
	ends := refusal == nil && p.request.ends(next)

	switch {
	case p.challenge != nil && c.AUTS != "" && p.challenge.aka:
		p.event = ResponseAUTS
	case p.challenge != nil && c.Response == "":
		p.event = ResponseEmpty
	case p.challenge != nil && !protected(c.IntegrityProtected) && p.wantsProtection(policy):
		p.event = Unprotected
	case p.challenge != nil:
		if err := p.challenge.check(p.request); err != nil {
			p.event = ResponseWrong
			return nil
		}

		p.event = ResponseRight
	case p.trusted(policy):
		p.event = Protected
	case c.Nonce != "" && (c.Response != "" || c.AUTS != ""):
		p.event = NonceUnknown
	default:
		p.event = Unprotected
	}

	if p.event != ResponseRight && p.event != Protected {
		return nil
	}

	if ends {
		p.event++ // ResponseRightEnd, ProtectedEnd
	}

	return refusal
}

// wantsProtection tells an answer to a challenge that counts only if it was protected (TS 24.229 §5.4.1.2.2).
func (p *procedure) wantsProtection(policy *Authentication) bool {
	offered := p.challenge.offered || unprotected(p.request)

	return policy.RequireProtection || policy.RefuseUnprotected && p.challenge.aka && offered
}

// unprotected tells a REGISTER of which the P-CSCF says that it came outside the security associations that it offers.
func unprotected(r *request) bool { return strings.EqualFold(r.credentials.IntegrityProtected, "no") }

func protected(integrity string) bool {
	return slices.ContainsFunc([]string{"yes", "tls-yes", "tls-pending", "tls-connected", "ip-assoc-yes", "ip-assoc-pending"},
		func(value string) bool { return strings.EqualFold(value, integrity) })
}

// trusted tells a REGISTER that needs no challenge because the P-CSCF vouches for it: a refresh or end of contacts that are
// known, or anything when the operator says so.
func (p *procedure) trusted(policy *Authentication) bool {
	in := func(values []string) bool {
		return p.request.hasCredentials &&
			slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, p.request.credentials.IntegrityProtected) })
	}

	if in(policy.TrustAlways) {
		return true
	}

	if p.phase != RegisteredPhase && p.phase != Reauthenticating || !in(policy.TrustRefresh) {
		return false
	}

	for _, w := range p.request.contacts {
		known := func(b *registration.Binding) bool { return b.Private == p.request.private && b.Contact == w.contact }
		if !slices.ContainsFunc(p.bindings(), known) {
			return false
		}
	}

	return true
}

// answers tells the events that use up the challenge.
func (p *procedure) answers() bool {
	switch p.event {
	case ResponseRight, ResponseRightEnd, ResponseWrong, ResponseEmpty, ResponseAUTS:
		return true
	default:
		return false
	}
}

// do does one action.
func (p *procedure) do(ctx context.Context, a Action) *Refusal {
	switch a {
	case RequestVector:
		return p.requestVector(ctx, nil)
	case Resynchronise:
		return p.resynchronise(ctx)
	case SendChallenge:
		return p.sendChallenge()
	case ChallengeAgain:
		return p.challengeAgain(ctx)
	case ReportAuthFailure:
		p.reportAuthFailure(ctx)
	case Forbid:
		return p.forbidden()
	case AssignServer:
		return p.assignServer(ctx)
	case ReleaseServer:
		p.releaseServer(ctx)
	case UpdateContacts:
		return p.updateContacts()
	case Accept:
		p.accept()
	case TellApplicationServers: // both are observers of the change
	case TellWatchers:
		p.registrar.publish(p.change)
	case ReportAuthTimeout, RecordFailure:
	}

	return nil
}

// updateContacts makes the contacts what the REGISTER asks for (§5.4.1.2.2, §5.4.1.4).
func (p *procedure) updateContacts() *Refusal {
	r, now := p.registrar, time.Now()

	var (
		identities []registration.Identity
		private    string
		refusal    *Refusal
	)

	if p.assigned != nil && len(p.assigned.UserData) > 0 || p.record == nil || p.registration() == nil ||
		p.registration().ProfileMissing() {
		if p.assigned == nil {
			return refuse(500, "the registration ended while it was being changed")
		}

		if private, identities, refusal = r.profileOf(p.assigned); refusal != nil {
			r.undo(p.request)
			return refusal
		}

		if !slices.ContainsFunc(identities, func(i registration.Identity) bool { return i.Matches(p.request.public) }) {
			r.undo(p.request)
			return refuse(500, "the profile that the HSS sent does not have "+p.request.public)
		}
	}

	rec := p.place(identities)

	var changes []registration.ContactChange

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
	})

	switch {
	case refusal != nil:
		return refusal
	case err != nil:
		r.undo(p.request)
		return refuse(503, err.Error(), sip.NewHeader("Retry-After", "60"))
	}

	p.change = registration.Change{
		Before:   before,
		After:    after,
		Contacts: changes,
		Type:     registrationType(before, after),
		Request:  p.request.message,
	}

	return nil
}

// place is the record for the set: the one that serves one of its identities, or a new one.
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

// refuse answers a REGISTER with what is wrong, and says it in the log.
func (r *Registrar) refuse(tx Transaction, req *request, refusal *Refusal) {
	r.failed(tx.Request(), req, refusal)

	response := sip.NewResponse(tx.Request(), refusal.Status, "")
	if refusal.Reason != "" {
		sip.Set(response, "Reason", refusal.Reason)
	}

	for _, h := range refusal.Headers {
		response.AppendHeader(h)
	}

	r.respond(tx, response)
}

func (r *Registrar) respond(tx Transaction, response *sip.Response) {
	if err := tx.Respond(response); err != nil {
		r.log.Warn("the answer to a REGISTER could not be sent", "status", response.StatusCode, "error", err)
	}
}
