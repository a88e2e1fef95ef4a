package registrar

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// assign sends a SAR (TS 29.228 §6.1.2) and maps failures to refusals.
func (r *Registrar) assign(ctx context.Context, req *cx.SAR) (*cx.SAA, *sip.Refusal) {
	answer, err := r.hss.ServerAssignment(ctx, req)
	if err != nil {
		return nil, unanswered("SAR", err)
	}

	if !answer.Result.Successful() {
		return nil, result("SAR", serverAssignmentResults, answer.Result, answer.ErrorMessage)
	}

	return answer, nil
}

// assignServer reports the registration to the HSS and fetches the profile, if there is none yet (§5.4.1.2.2, TS 29.228 §6.1.2).
func (p *procedure) assignServer(ctx context.Context, kind cx.ServerAssignmentType) {
	req := &cx.SAR{UserName: p.request.private, PublicIdentities: []string{p.request.public}, Type: kind}

	g := p.registration()
	if g != nil && !g.ProfileMissing() && g.State == registration.Registered && kind == cx.ReRegistration {
		if !p.registrar.policy.AssignAtReRegistration {
			p.follow(Assigned)
			return
		}

		req.DataAlreadyAvailable = cx.UserDataAvailable
	}

	if p.assigned, p.refusal = p.registrar.assign(ctx, req); p.refusal != nil {
		p.follow(AssignmentRefused)
		return
	}

	p.follow(Assigned)
}

// releaseServer reports the de-registration to the HSS. The registration ends whatever the HSS answers.
func (p *procedure) releaseServer(ctx context.Context) {
	req := &cx.SAR{UserName: p.request.private, PublicIdentities: []string{p.request.public}, Type: cx.UserDeregistration}
	if p.registrar.policy.KeepProfile && p.registration() != nil {
		req.Type = cx.UserDeregistrationStoreServerName
	}

	p.follow(Released)

	answer, refusal := p.registrar.assign(ctx, req)
	if refusal != nil {
		p.registrar.log.Warn(
			"the HSS was not told of a de-registration",
			"impi", p.request.private,
			"impu", p.request.public,
			"cause", refusal,
		)
		return
	}

	p.notStored = answer.Result == cx.SuccessServerNameNotStored
}

// takeBack ends at the HSS a registration that failed here, or that the operator ends.
func (r *Registrar) takeBack(ctx context.Context, private, public string) error {
	_, refusal := r.assign(ctx, &cx.SAR{UserName: private, PublicIdentities: []string{public}, Type: cx.AdministrativeDeregistration})
	if refusal != nil {
		r.log.Warn("the HSS was not told that a registration is taken back", "impi", private, "impu", public, "cause", refusal)
		return refusal
	}

	return nil
}

// profileOf parses the profile of a SAA.
func (r *Registrar) profileOf(answer *cx.SAA) (private string, identities []registration.Identity, refusal *sip.Refusal) {
	if len(answer.UserData) == 0 {
		return "", nil, sip.Refuse(500, "the SAA has no User-Data although the S-CSCF has no profile")
	}

	private, identities, err := r.profiles.Parse(answer.UserData)
	if err != nil {
		r.metrics.profileFailures.Inc()

		return "", nil, verdict.Diameter(500, cx.ErrorNotSupportedUserData, "the service profile in User-Data cannot be used: "+err.Error()).
			Because(err)
	}

	return firstOf(private, answer.UserName), identities, nil
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}

	return ""
}
