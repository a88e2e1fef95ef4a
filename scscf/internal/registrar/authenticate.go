package registrar

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// requestVector asks the HSS for what the handset is challenged with (TS 24.229 §5.4.1.2.1, TS 29.228 §6.3).
func (p *procedure) requestVector(ctx context.Context, randAUTS []byte) *Refusal {
	req := &cx.MAR{UserName: p.request.private, PublicIdentity: p.request.public, NumberOfAuthVectors: 1}
	req.AuthDataItem = cx.AuthDataItem{Scheme: p.registrar.policy.Authentication.Scheme, Authorization: randAUTS}

	if randAUTS != nil {
		req.AuthDataItem.Scheme = "Digest-" + p.challenge.algorithm
	}

	answer, err := p.registrar.hss.MultimediaAuth(ctx, req)
	if err != nil {
		return unanswered("MAR", err)
	}

	if !answer.Result.Successful() {
		return result("MAR", multimediaAuthVerdicts, answer.Result, answer.ErrorMessage)
	}

	p.vector = answer

	return nil
}

// resynchronise asks for a vector that the SIM will accept (TS 33.102 §6.3.5). RAND is that of the challenge.
func (p *procedure) resynchronise(ctx context.Context) *Refusal {
	auts, err := digest.ParseAUTS(p.request.credentials.AUTS)
	if err != nil {
		return refuse(400, "auts cannot be read")
	}

	if p.challenge.resynchronised >= p.registrar.policy.Authentication.Resynchronisations {
		p.reportAuthFailure(ctx)
		return refuse(403, "the SIM asked again for resynchronisation of SQN: the HSS does not step its SQN to the SIM's")
	}

	rand, _, err := digest.ParseAKANonce(p.challenge.nonce)
	if err != nil {
		return refuse(500, "the nonce of the challenge holds no RAND")
	}

	p.registrar.metrics.authentications.WithLabelValues("resynchronised").Inc()
	p.registrar.log.Info("AUTS received: the SIM's SQN is ahead of the HSS's, which is asked to step", "private", p.request.private)

	return p.requestVector(ctx, slices.Concat(rand[:], auts[:]))
}

// sendChallenge answers 401 and starts reg-await-auth (§5.4.1.2.1).
func (p *procedure) sendChallenge() *Refusal {
	r := p.registrar

	ch, err := newChallenge(p.vector, &r.policy.Authentication, r.homeDomain)
	if err != nil {
		text := "the MAA cannot be used: " + err.Error()
		return &Refusal{Status: 500, Diagnosis: text, Reason: reason("DIAMETER", 5012, text), Err: err}
	}

	ch.registrar, ch.private, ch.public, ch.callID = r, p.request.private, p.request.public, p.request.callID

	ch.offered = unprotected(p.request) || p.challenge != nil && p.challenge.offered

	if p.challenge != nil && p.answers() {
		ch.attempt, ch.resynchronised = p.challenge.attempt, p.challenge.resynchronised

		if p.event == ResponseAUTS {
			ch.resynchronised++
		} else {
			ch.attempt++
		}
	}

	void, kept := r.challenges.add(ch)
	for _, other := range void {
		r.schedule.Cancel(&other.await)
	}

	if !kept {
		return refuse(
			503,
			"more handsets owe the answer to a challenge than registrar.max_challenges allows",
			sip.NewHeader("Retry-After", "10"),
		)
	}

	r.schedule.Set(&ch.await, ch, time.Now().Add(r.policy.Authentication.AwaitAuth))
	r.metrics.authentications.WithLabelValues("challenged").Inc()

	response := sip.NewResponse(p.tx.Request(), 401, "")
	sip.Set(response, "WWW-Authenticate", ch.header(p.staleNonce(ch)))
	r.respond(p.tx, response)
	p.done = true

	return nil
}

// staleNonce tells a right answer to an old nonce of SIP Digest: the handset need not ask for the password again (RFC 2617
// §3.2.1). In AKA every nonce is a new question.
func (p *procedure) staleNonce(ch *challenge) bool {
	if p.event != NonceUnknown || ch.aka {
		return false
	}

	old := *ch
	old.nonce = p.request.credentials.Nonce

	return old.check(p.request) == nil
}

// settle takes an answered challenge out; false when it was answered already.
func (r *Registrar) settle(ch *challenge) bool {
	r.schedule.Cancel(&ch.await)

	return r.challenges.take(ch)
}

// challengeAgain gives another try as long as the policy has any.
func (p *procedure) challengeAgain(ctx context.Context) *Refusal {
	p.registrar.metrics.authentications.WithLabelValues("wrong response").Inc()

	if p.challenge.attempt+1 >= p.registrar.policy.Authentication.Attempts {
		return nil
	}

	if refusal := p.requestVector(ctx, nil); refusal != nil {
		return refusal
	}

	return p.sendChallenge()
}

// forbidden is the refusal after a failed authentication, with what a lab builder should look at (§5.4.1.2.3).
func (p *procedure) forbidden() *Refusal {
	c, ch := p.request.credentials, p.challenge

	switch {
	case p.event == ResponseEmpty && ch.aka:
		p.registrar.metrics.authentications.WithLabelValues("network refused").Inc()
		return refuse(403, "the SIM refused the network (MAC of AUTN is wrong): K or OPc in the HSS differs from the SIM")
	case p.event == ResponseEmpty:
		return refuse(403, "the handset has no answer to the challenge")
	case c.Realm != ch.realm:
		return refuse(403, fmt.Sprintf("the handset answered for realm %q, but was challenged for %q", c.Realm, ch.realm))
	case c.Algorithm != "" && !strings.EqualFold(c.Algorithm, ch.algorithm):
		return refuse(403, fmt.Sprintf("the handset answered with algorithm %q, but was challenged with %q", c.Algorithm, ch.algorithm))
	case !ch.offers(c.QoP):
		return refuse(403, fmt.Sprintf("the handset answered with qop %q, but was offered %q", c.QoP, ch.qop))
	case ch.aka:
		return refuse(
			403,
			"RES mismatch: K or OPc in the HSS differs from the SIM, or the handset computes the digest over another URI or method",
		)
	default:
		return refuse(403, "the digest response is wrong: the password in the HSS differs from the handset's, or the user name does")
	}
}

// reportAuthFailure tells the HSS, which forgets that this S-CSCF was to be the user's (TS 29.228 §6.1.2).
func (p *procedure) reportAuthFailure(ctx context.Context) {
	if p.phase == AuthPending {
		p.registrar.reportAuthentication(ctx, p.request.private, p.request.public, cx.AuthenticationFailure)
	}
}

func (r *Registrar) reportAuthentication(ctx context.Context, private, public string, kind cx.ServerAssignmentType) {
	_, refusal := r.assign(ctx, &cx.SAR{UserName: private, PublicIdentities: []string{public}, Type: kind})
	if refusal != nil {
		r.log.Warn("the HSS was not told of a failed authentication", "private", private, "public", public, "reason", refusal)
	}
}

// awaitAuthExpired ends a challenge that was never answered (§5.4.1.2.3). A registration stays as it was.
func (r *Registrar) awaitAuthExpired(ch *challenge) {
	if !r.challenges.take(ch) {
		return
	}

	r.metrics.authentications.WithLabelValues("unanswered").Inc()
	r.metrics.registers.WithLabelValues("unanswered").Inc()
	r.work.Add(func(ctx context.Context) {
		release, err := r.locks.lock(ctx, ch.private)
		if err != nil {
			return
		}
		defer release()

		phase := AuthPending
		if rec := r.store.find(ch.public); rec != nil {
			if g := rec.current.Load(); g != nil && len(g.Of(ch.private)) > 0 {
				phase = Reauthenticating
			}
		}

		row, _ := Machine.Step(phase, AwaitAuthExpired)
		for _, action := range row.Do {
			switch action {
			case ReportAuthTimeout:
				if !r.challenges.pending(ch.private) {
					r.reportAuthentication(ctx, ch.private, ch.public, cx.AuthenticationTimeout)
				}
			case RecordFailure:
				r.log.Warn(
					"registration failed",
					"private",
					ch.private,
					"public",
					ch.public,
					"call_id",
					ch.callID,
					"reason",
					unansweredChallenge(ch),
				)
			}
		}
	})
}

// unansweredChallenge says why handsets fall silent, most often.
func unansweredChallenge(ch *challenge) string {
	if !ch.aka {
		return "the handset never answered the 401"
	}

	return "the handset never answered the 401: OP given as OPc or the reverse, wrong K, a challenge that it cannot read (try without qop), " +
		"or IPsec that does not come up"
}
