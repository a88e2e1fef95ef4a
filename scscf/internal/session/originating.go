package session

import (
	"cmp"
	"context"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
)

// originate serves an initial request from a user of this S-CSCF (TS 24.229 §5.4.3.2). It comes over the Service-Route of the user's
// handset, or from an application server that acts for the user, registered or not (§5.7.3: "orig" in Route).
func (s *Server) originate(ctx context.Context, r *request, handset bool) {
	if strings.ContainsRune(r.requested, '#') {
		s.refuse(r.tx, "originating", sip.Refusef(400, "the Request-URI has a raw #, which is written as %%23 (RFC 3966 §3)"))
		return
	}

	if refusal := s.staysHere(r.out.Recipient); refusal != nil {
		s.refuse(r.tx, "originating", refusal)
		return
	}

	public := cmp.Or(r.served, r.caller)
	if public == "" {
		s.refuse(r.tx, "originating", sip.Refuse(403, "the request does not say who it is from"))
		return
	}

	sv := &served{
		side:     call.Originating,
		public:   public,
		handset:  handset,
		diverted: !handset && r.servedCase == ims.ServedOriginatingCDIV,
	}

	user, found, err := s.registrations.Registered(ctx, public)

	switch {
	case err != nil:
		s.refuse(r.tx, "originating", later(public, err))
		return
	case !found && handset:
		s.refuse(r.tx, "originating", sip.Refusef(403, "%s is not registered here", public))
		return
	case !found:
		if user, err = s.registrations.FetchUnregistered(ctx, public); err != nil {
			s.refuse(r.tx, "originating", unserved(public, err))
			return
		}
	}

	if user.Public.Barred {
		s.refuse(r.tx, "originating", sip.Refusef(403, "%s is barred", public))
		return
	}

	sv.user = user

	if !sv.diverted { // a diverted call still comes from its caller
		assertBoth(r, user.Associated(), public)
		s.assertService(r.out, user)
	}

	s.serve(ctx, r, sv, -1)
}

// assertBoth makes P-Asserted-Identity name the user by sip and by tel URI if it has both (§5.4.3.2 4): the called party may need either.
func assertBoth(r *request, associated []string, public string) {
	if len(r.asserted) != 1 {
		return
	}

	wanted := "tel:"
	if strings.HasPrefix(public, "tel:") {
		wanted = "sip:"
	}

	for _, other := range associated {
		if strings.HasPrefix(other, wanted) && (wanted == "sip:" || ims.Number(public) == "" || ims.Number(public) == ims.Number(other)) {
			r.assert(other)
			return
		}
	}
}
