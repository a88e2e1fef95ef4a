package interrogation

import (
	"context"
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// register is TS 24.229 §5.3.1.2 and, when the S-CSCF fails, §5.3.1.3.
func (i *Interrogator) register(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request) {
	who, err := identities(out, i.HomeDomain)
	if err != nil {
		i.refuse(tx, "", &Refusal{Status: 400, Reason: fmt.Sprintf(`SIP;cause=400;text=%q`, err)})
		return
	}

	candidates, refused := i.authorise(ctx, who.query(out))
	if refused != nil {
		i.refuse(tx, who.private, refused)
		return
	}

	tried := []string{candidates[0]}
	asked := false
	i.Stack.Forward(ctx, tx, sip.Plan{
		Groups: [][]sip.Branch{{i.toRegistrar(out, candidates[0])}},
		OnFailure: func(b *sip.Branch, r *sip.Response) []sip.Branch {
			if !failed(r) || who.credentials.IntegrityProtected == "yes" {
				return nil
			}

			i.Log.Warn("S-CSCF does not serve the registration", "scscf", b.Label, "user", who.private, "status", r.StatusCode)

			if !asked { // the name that the HSS gave may be of one that is gone: what may serve instead?
				asked = true
				more := who.query(out)
				more.Type = cx.RegistrationAndCapabilities

				others, refused := i.authorise(ctx, more)
				if refused != nil {
					return nil
				}

				candidates = others
			}

			for _, name := range candidates {
				if !slices.Contains(tried, name) {
					tried = append(tried, name)
					return []sip.Branch{i.toRegistrar(out, name)}
				}
			}

			return nil
		},
		OnResponse: func(_ *sip.Branch, r *sip.Response) {
			if sip.Local(r) || r.StatusCode/100 == 3 { // §5.3.1.3: no S-CSCF answered, or it wants another that there is not
				r.StatusCode, r.Reason = 504, sip.Reason(504)
				sip.Remove(r, "Contact")
				sip.Set(r, "Reason", fmt.Sprintf(`SIP;cause=504;text="no S-CSCF answered: %v"`, tried))
			}

			if r.StatusCode >= 200 {
				i.outcomes.WithLabelValues("REGISTER", fmt.Sprint(r.StatusCode)).Inc()
			}
		},
	})
}

// authorise asks the HSS and lists the S-CSCFs to try.
func (i *Interrogator) authorise(ctx context.Context, q *cx.UAR) ([]string, *Refusal) {
	answer, err := i.HSS.UserAuthorization(ctx, q)
	if err != nil {
		return nil, noAnswer(err)
	}

	if !answer.Result.Successful() {
		return nil, registration(answer.Result)
	}

	if answer.ServerName != "" {
		return []string{answer.ServerName}, nil
	}

	candidates := i.Servers.Candidates(answer.Capabilities)
	if len(candidates) == 0 { // §5.3.1.3
		return nil, refusal(600, int(answer.Result.Code), "no configured S-CSCF has the mandatory capabilities of this user")
	}

	return candidates, nil
}

func (i *Interrogator) toRegistrar(out *sip.Request, name string) sip.Branch {
	r := sip.Copy(out)

	if target, err := sip.ParseURI(serverURI(name)); err == nil {
		r.Recipient = target
	}

	return sip.Branch{Request: r, Timeout: i.ServerTimeout, Label: name}
}

// failed tells an S-CSCF that another one may replace: no answer, a redirection, or 480.
func failed(r *sip.Response) bool {
	return sip.Local(r) || r.StatusCode/100 == 3 || r.StatusCode == 480
}
