package interrogation

import (
	"context"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// register does TS 24.229 §5.3.1.2 and, when the S-CSCF fails, §5.3.1.3.
func (i *Interrogator) register(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request) {
	who, err := identities(out, i.config.HomeDomain)
	if err != nil {
		i.refuse(tx, sip.Refuse(400, err.Error()))
		return
	}

	if max(len(who.public), len(who.private), len(who.visited)) > maxIdentity {
		i.refuse(tx, tooLong(513), "impi", who.private[:min(len(who.private), maxIdentity)])
		return
	}

	candidates, refused := i.authorise(ctx, who.query(out))
	if refused != nil {
		i.refuse(tx, refused, "impi", who.private, "impu", who.public)
		return
	}

	i.log.Info("S-CSCF chosen for a registration", "impi", who.private, "impu", who.public, "scscf", candidates[0],
		"call_id", out.CallID().Value())

	bound := who.credentials.IntegrityProtected == "yes" // to the S-CSCF that challenged
	asked := false
	widen := func() bool { // replaces the candidates: the S-CSCF that the HSS named may be gone
		if asked {
			return true
		}

		asked = true
		more := who.query(out)
		more.Type = cx.RegistrationAndCapabilities

		others, refused := i.authorise(ctx, more)
		if refused == nil {
			candidates = i.away.last(others)
		}

		return refused == nil
	}

	if !bound {
		first := candidates[0]
		if candidates = i.away.last(candidates); i.away.has(candidates[0]) && (!widen() || i.away.has(candidates[0])) {
			candidates = append([]string{first}, candidates...) // none is alive
		}
	}

	tried, began := []string{candidates[0]}, time.Now()
	i.stack.Forward(tx, stack.Plan{
		Groups: [][]stack.Branch{{i.toRegistrar(out, candidates[0])}},
		OnFailure: func(b *stack.Branch, r *sip.Response) []stack.Branch {
			i.note(b, r, began)

			if !failed(r) || bound {
				return nil
			}

			i.log.Warn("S-CSCF does not serve the registration", "scscf", b.Label, "impi", who.private, "status", r.StatusCode)

			if !widen() {
				return nil
			}

			for _, name := range candidates {
				if !slices.Contains(tried, name) {
					tried = append(tried, name)
					return []stack.Branch{i.toRegistrar(out, name)}
				}
			}

			return nil
		},
		OnResponse: func(b *stack.Branch, r *sip.Response) {
			i.note(b, r, began)

			if stack.Local(r) || r.StatusCode/100 == 3 { // §5.3.1.3: no S-CSCF answered, or it redirects to another, and there is none
				sip.Remove(r, "Contact")
				sip.Refusef(504, "no S-CSCF answered: %v", tried).Replace(r)
			}

			if r.StatusCode >= 200 {
				i.counted("", "REGISTER", r.StatusCode)
			}
		},
	})
}

// note records what a response, or its absence, says about an S-CSCF.
func (i *Interrogator) note(b *stack.Branch, r *sip.Response, since time.Time) {
	switch {
	case b == nil:
	case !stack.Local(r):
		i.away.heard(b.Label)
	case i.away.silent(b.Label, since):
		i.log.Warn("S-CSCF is passed over for a while", "scscf", b.Label, "duration", i.away.lasts)
	}
}

// authorise asks the HSS and returns the S-CSCFs to try.
func (i *Interrogator) authorise(ctx context.Context, q *cx.UAR) ([]string, *sip.Refusal) {
	answer, err := i.hss.UserAuthorization(ctx, q)
	if err != nil {
		return nil, unanswered(err)
	}

	if !answer.Result.Successful() {
		return nil, authorization.refusal(answer.Result)
	}

	if answer.ServerName != "" {
		return []string{answer.ServerName}, nil
	}

	candidates := i.config.Servers.Candidates(answer.Capabilities)
	if len(candidates) == 0 { // §5.3.1.3
		return nil, incapable(answer.Result)
	}

	return candidates, nil
}

func (i *Interrogator) toRegistrar(out *sip.Request, name string) stack.Branch {
	r := sip.Copy(out)

	if target, err := sip.ParseURI(serverURI(name)); err == nil {
		r.Recipient = target
	}

	return stack.Branch{Request: r, Timeout: i.config.ServerTimeout, Label: name}
}

// failed reports whether another S-CSCF may be tried: there was no answer, a redirection, or 480.
func failed(r *sip.Response) bool {
	return stack.Local(r) || r.StatusCode/100 == 3 || r.StatusCode == 480
}
