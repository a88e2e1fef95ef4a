package registrar

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/challenge"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// newAuthentication returns a new authentication for the user of a REGISTER.
func (p *procedure) newAuthentication() *authentication {
	a := &authentication{
		registrar: p.registrar, run: p.registrar.authenticationMachine.Start(Unchallenged),
		private: p.request.private, public: p.request.public, callID: p.request.callID, offered: unprotected(p.request),
	}

	if p.authentication != nil { // the REGISTER names that one's challenge, which stays in flight until it is displaced
		a.offered = a.offered || p.authentication.offered
	}

	return a
}

// authenticate steps the authentication and carries out the actions of its row.
func (p *procedure) authenticate(ctx context.Context, event AuthenticationEvent) {
	if step := stepOf(event, p.authentication); step != "" {
		p.registrar.metrics.authentications.WithLabelValues(step).Inc()
	}

	actions, ok := p.registrar.authentications.step(p.authentication, event)

	switch over := p.authentication.run.State() == AuthenticationOver; {
	case !ok && over: // the timer, or the HSS
		p.answer(sip.Refuse(403, "the challenge ended while it was being answered"))
		return
	case !ok:
		p.unexpected(event, p.authentication.run.State())
		return
	}

	for _, action := range actions {
		switch action {
		case RequestVector:
			p.requestVector(ctx, nil)
		case Resynchronise:
			p.resynchronise(ctx)
		case SendChallenge:
			p.sendChallenge()
		case StopAwaitAuth:
			p.registrar.schedule.Cancel(&p.authentication.await)
		case RefuseVector:
			p.answer(p.refusal)
		case Succeed:
			p.next = Authenticated
			if p.ends {
				p.next = AuthenticatedEnd
			}

			p.then = p.register
		case Fail:
			p.next, p.then = AuthenticationFailed, p.register
		default:
			p.unexpected(action, p.authentication.run.State())
		}
	}
}

// stepOf returns the label of an event in the counter of authentications, or "".
func stepOf(event AuthenticationEvent, a *authentication) string {
	switch {
	case event == ResponseWrong || event == ResponseWrongLast:
		return "wrong response"
	case event == ResponseEmpty && a.asked.AKA:
		return "network refused"
	case event == ResponseAUTS:
		return "resynchronised"
	default:
		return ""
	}
}

// requestVector asks the HSS for an authentication vector (TS 24.229 §5.4.1.2.1, TS 29.228 §6.3).
func (p *procedure) requestVector(ctx context.Context, randAUTS []byte) {
	asked, refusal := p.vector(ctx, randAUTS)
	if refusal == nil {
		for _, other := range p.registrar.authentications.displaced(p.request.private, p.request.callID) {
			p.registrar.log.Info("challenge not answered: the handset begins again", other.silence()...)
			p.registrar.authenticationEnds(other, Withdrawn)
		}

		if !p.registrar.authentications.admit(p.authentication, asked) {
			refusal = sip.Refuse(
				503,
				"more handsets owe the answer to a challenge than registrar.max_challenges allows",
				sip.NewHeader("Retry-After", "10"),
			)
		}
	}

	event := VectorReceived
	if refusal != nil {
		p.refusal, event = refusal, VectorMissing
	}

	p.then = func(ctx context.Context) { p.authenticate(ctx, event) }
}

func (p *procedure) vector(ctx context.Context, randAUTS []byte) (*challenge.Challenge, *sip.Refusal) {
	r := p.registrar
	req := &cx.MAR{UserName: p.request.private, PublicIdentity: p.request.public, NumberOfAuthVectors: 1}
	req.AuthDataItem = cx.AuthDataItem{Scheme: r.policy.Authentication.Scheme, Authorization: randAUTS}

	if randAUTS != nil {
		req.AuthDataItem.Scheme = "Digest-" + p.authentication.asked.Algorithm
	}

	answer, err := r.hss.MultimediaAuth(ctx, req)
	if err != nil {
		return nil, unanswered("MAR", err)
	}

	if !answer.Result.Successful() {
		return nil, result("MAR", multimediaAuthResults, answer.Result, answer.ErrorMessage)
	}

	asked, err := challenge.New(answer, challenge.Terms{
		HomeDomain: r.homeDomain, Realm: r.policy.Authentication.Realm, QoP: r.policy.Authentication.QoP,
	})
	if err != nil {
		return nil, verdict.Diameter(500, cx.UnableToComply, "the MAA cannot be used: "+err.Error()).Because(err)
	}

	return asked, nil
}

// resynchronise asks the HSS for a vector that the SIM will accept (TS 33.102 §6.3.5), with the RAND of the challenge.
func (p *procedure) resynchronise(ctx context.Context) {
	rand, err := p.authentication.asked.RAND()
	if err != nil {
		p.refusal = sip.Refuse(500, "the nonce of the challenge holds no RAND")
		p.then = func(ctx context.Context) { p.authenticate(ctx, VectorMissing) }

		return
	}

	p.registrar.log.Info("AUTS received: the SIM's SQN is ahead of the HSS's, which is asked to step", "impi", p.request.private)
	p.requestVector(ctx, slices.Concat(rand[:], p.auts[:]))
}

// sendChallenge answers 401 and starts reg-await-auth (§5.4.1.2.1).
func (p *procedure) sendChallenge() {
	r, a := p.registrar, p.authentication

	switch p.first {
	case ResponseAUTS:
		a.resynchronised++
	case ResponseWrong:
		a.attempt++
	}

	r.schedule.Set(&a.await, a, r.authentications.challenged(a, time.Now(), r.policy.Authentication.AwaitAuth))
	r.metrics.authentications.WithLabelValues("challenged").Inc()

	message := p.request.message
	stale := p.first == NonceUnknown && a.asked.Stale(p.request.credentials, string(message.Method), message.Body())

	response := sip.NewResponse(p.tx.Request(), 401, "")
	sip.Set(response, "WWW-Authenticate", a.asked.Header(stale))
	p.respond(response)
}

// classifyResponse returns the event for the answer to a challenge (§5.4.1.2.2, §5.4.1.2.3A, §5.4.1.2.3B).
func (p *procedure) classifyResponse() (AuthenticationEvent, *sip.Refusal) {
	a, c, policy := p.authentication, p.request.credentials, &p.registrar.policy.Authentication

	if c.AUTS != "" && a.asked.AKA {
		var err error
		if p.auts, err = digest.ParseAUTS(c.AUTS); err != nil {
			return 0, sip.Refuse(400, "auts cannot be read")
		}

		if a.resynchronised >= policy.Resynchronisations {
			return ResponseAUTSLast, nil
		}

		return ResponseAUTS, nil
	}

	if c.Response == "" {
		return ResponseEmpty, nil
	}

	if err := a.asked.Verify(c, string(p.request.message.Method), p.request.message.Body()); err == nil {
		return ResponseRight, nil
	}

	if a.attempt+1 >= policy.Attempts {
		return ResponseWrongLast, nil
	}

	return ResponseWrong, nil
}

// forbidden returns the refusal after a failed authentication, with what a lab builder should look at (§5.4.1.2.3A, §5.4.1.2.3B).
func (p *procedure) forbidden() *sip.Refusal {
	c, ch := p.request.credentials, p.authentication.asked

	switch {
	case p.first == ResponseAUTSLast:
		return sip.Refuse(403, "the SIM asked again for resynchronisation of SQN: the HSS does not step its SQN to the SIM's")
	case p.first == ResponseEmpty && ch.AKA:
		return sip.Refuse(403, "the SIM refused the network (MAC of AUTN is wrong): K or OPc in the HSS differs from the SIM")
	case p.first == ResponseEmpty:
		return sip.Refuse(403, "the handset has no answer to the challenge")
	case c.Realm != ch.Realm:
		return sip.Refusef(403, "the handset answered for realm %q, but was challenged for %q", c.Realm, ch.Realm)
	case c.Algorithm != "" && !strings.EqualFold(c.Algorithm, ch.Algorithm):
		return sip.Refusef(403, "the handset answered with algorithm %q, but was challenged with %q", c.Algorithm, ch.Algorithm)
	case !ch.Offers(c.QoP):
		return sip.Refusef(403, "the handset answered with qop %q, but was offered %q", c.QoP, ch.QoP)
	case ch.AKA:
		return sip.Refuse(
			403,
			"RES mismatch: K or OPc in the HSS differs from the SIM, or the handset computes the digest over another URI or method",
		)
	default:
		return sip.Refuse(403, "the digest response is wrong: the password in the HSS differs from the handset's, or the user name does")
	}
}

// reportAuthentication reports a failed authentication to the HSS, which then no longer plans this S-CSCF for the user (TS 29.228 §6.1.2).
func (r *Registrar) reportAuthentication(ctx context.Context, private, public string, kind cx.ServerAssignmentType) {
	_, refusal := r.assign(ctx, &cx.SAR{UserName: private, PublicIdentities: []string{public}, Type: kind})
	if refusal != nil {
		r.log.Warn("the HSS was not told of a failed authentication", "impi", private, "impu", public, "cause", refusal)
	}
}

// authenticationEnds ends an authentication that was not answered in time (§5.4.1.2.3) or is no longer wanted.
func (r *Registrar) authenticationEnds(a *authentication, event AuthenticationEvent) {
	actions, _ := r.authentications.step(a, event) // without a row it was answered just now

	for _, action := range actions {
		switch action {
		case StopAwaitAuth:
			r.schedule.Cancel(&a.await)
		case RecordSilence:
			r.metrics.authentications.WithLabelValues("unanswered").Inc()
			r.metrics.registers.WithLabelValues("unanswered").Inc()
			r.log.Warn("registration failed", a.silence()...)
		case TimeOut:
			r.work.Add(func(ctx context.Context) { r.authenticationTimedOut(ctx, a) })
		default:
			r.unexpected(action, a.run.State())
		}
	}
}

// authenticationTimedOut reports to the registration that the handset has not answered. An existing registration stays as it was.
func (r *Registrar) authenticationTimedOut(ctx context.Context, a *authentication) {
	release, err := r.locks.lock(ctx, a.private)
	if err != nil {
		return
	}
	defer release()

	if r.authentications.pending(a.private) {
		return
	}

	who := r.registrantOf(r.store.find(a.public), a.private)

	actions, ok := r.store.step(who, AuthenticationTimedOut)
	if !ok {
		r.unexpected(AuthenticationTimedOut, r.store.state(who))
	}

	for _, action := range actions {
		switch action {
		case ReportAuthTimeout:
			r.reportAuthentication(ctx, a.private, a.public, cx.AuthenticationTimeout)
		default:
			r.unexpected(action, r.store.state(who))
		}
	}
}

// unansweredChallenge returns the likeliest reasons why a handset does not answer a challenge.
func unansweredChallenge(ch *challenge.Challenge) string {
	if !ch.AKA {
		return "the handset has not answered the 401"
	}

	return "the handset has not answered the 401: OP given as OPc or the reverse, wrong K or AMF, a challenge that it cannot read " +
		"(try without qop), or IPsec that does not come up"
}
