package registrar

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// assign sends a SAR (TS 29.228 §6.1.2) and maps what is no success.
func (r *Registrar) assign(ctx context.Context, req *cx.SAR) (*cx.SAA, *Refusal) {
	answer, err := r.hss.ServerAssignment(ctx, req)
	if err != nil {
		return nil, unanswered("SAR", err)
	}

	if !answer.Result.Successful() {
		return nil, result("SAR", serverAssignmentVerdicts, answer.Result, answer.ErrorMessage)
	}

	return answer, nil
}

// profileOf reads the profile of a SAA.
func (r *Registrar) profileOf(answer *cx.SAA) (private string, identities []Identity, refusal *Refusal) {
	if len(answer.UserData) == 0 {
		return "", nil, refuse(500, "the SAA has no User-Data although the S-CSCF has no profile")
	}

	private, identities, err := r.profiles.read(answer.UserData)
	if err != nil {
		r.metrics.profileFailures.Inc()

		text := "the service profile in User-Data cannot be used: " + err.Error()

		return "", nil, &Refusal{Status: 500, Diagnosis: text, Reason: reason("DIAMETER", 5009, text), Err: err}
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

// primary is an identity that stands for the set towards the HSS.
func (r *Registration) primary() string {
	if all := r.plain(); len(all) > 0 {
		return all[0]
	}

	return ""
}

// plain are the identities of the set that are no wildcards.
func (r *Registration) plain() []string {
	var all []string

	for i := range r.Identities {
		if r.Identities[i].Wildcard == nil {
			all = append(all, r.Identities[i].URI)
		}
	}

	return all
}
