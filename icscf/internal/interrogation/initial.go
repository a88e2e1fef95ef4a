package interrogation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// initial does TS 24.229 §5.3.2: an initial request to a user of this network, or from one when an AS sends it.
func (i *Interrogator) initial(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request, orig bool) {
	public, err := served(out, orig)

	switch {
	case err != nil && !orig && len(out.Recipient.String()) > maxIdentity:
		i.refuse(tx, tooLong(414))
		return
	case err != nil:
		i.refuse(tx, sip.Refuse(404, err.Error()))
		return
	}

	candidates, refused := i.locate(ctx, public, orig)
	if refused != nil {
		i.refuse(tx, refused, "impu", public)
		return
	}

	i.chargeable(out)

	candidates = i.away.last(candidates)
	i.log.Info("S-CSCF chosen for a request", "impu", public, "scscf", candidates[0], "method", label.Method(string(out.Method)),
		"call_id", out.CallID().Value(), "icid", ims.ParseChargingVector(sip.Value(out, "P-Charging-Vector")).ICID)

	tried, began := []string{candidates[0]}, time.Now()
	lost := false // the request could be given to no S-CSCF
	i.stack.Forward(tx, stack.Plan{
		Groups: [][]stack.Branch{{i.toServer(out, candidates[0], orig)}},
		OnFailure: func(b *stack.Branch, r *sip.Response) []stack.Branch {
			if !unreachable(out, r) {
				return nil
			}

			i.note(b, r, began)

			i.log.Warn("S-CSCF does not answer", "scscf", b.Label, "impu", public, "method", label.Method(string(out.Method)))

			for _, name := range candidates {
				if !slices.Contains(tried, name) {
					tried = append(tried, name)
					return []stack.Branch{i.toServer(out, name, orig)}
				}
			}

			lost = true

			return nil
		},
		OnResponse: func(b *stack.Branch, r *sip.Response) {
			if b != nil && !stack.Local(r) {
				i.note(b, r, began)
			}

			if b == nil && lost && stack.Local(r) {
				sip.Refusef(504, "no S-CSCF answered: %v", tried).Replace(r)
			}

			if r.StatusCode >= 200 {
				i.counted("", string(out.Method), r.StatusCode)
			}
		},
	})
}

// served returns the public identity that the request is for, or, with orig, from.
func served(r *sip.Request, orig bool) (string, error) {
	if !orig {
		return ims.CanonicalIdentity(r.Recipient.String())
	}

	for _, name := range []string{"P-Served-User", "P-Asserted-Identity"} {
		if value := sip.Value(r, name); value != "" {
			a, err := sip.ParseNameAddr(value)
			if err != nil {
				return "", err
			}

			return ims.CanonicalIdentity(a.URI)
		}
	}

	return "", errors.New("an originating request names no served user")
}

// locate asks the HSS where the user is served.
func (i *Interrogator) locate(ctx context.Context, public string, orig bool) ([]string, *sip.Refusal) {
	q := &cx.LIR{PublicIdentity: public}
	if orig {
		originating := uint32(0)
		q.OriginatingRequest = &originating
	}

	answer, err := i.hss.LocationInfo(ctx, q)
	if err != nil {
		return nil, unanswered(err)
	}

	if !answer.Result.Successful() {
		return nil, location.refusal(answer.Result)
	}

	if answer.ServerName != "" {
		return []string{answer.ServerName}, nil
	}

	candidates := i.config.Servers.Candidates(answer.Capabilities)
	if len(candidates) == 0 {
		return nil, incapable(answer.Result)
	}

	return candidates, nil
}

// toServer puts the S-CSCF on top of Route; the Request-URI is unchanged (§5.3.2.1).
func (i *Interrogator) toServer(out *sip.Request, name string, orig bool) stack.Branch {
	r := sip.Copy(out)

	route := serverURI(name) + ";lr"
	if orig {
		route += ";orig"
	}

	sip.PushRoute(r, route)

	b := stack.Branch{Request: r, Label: name}
	if r.IsInvite() {
		b.Timeout = i.config.ServerTimeout
	}

	return b
}

// unreachable reports whether a request does not reach an S-CSCF: the transport says so, or there was silence to an INVITE, which each
// hop acknowledges with a 100 of its own within 200 ms (RFC 3261 §17.2.1). Silence to another request says nothing: the handset may be
// paged, and the response is that of the other end.
func unreachable(request *sip.Request, r *sip.Response) bool {
	return stack.Local(r) && (r.StatusCode != 408 || request.IsInvite())
}
