package session

import (
	"context"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// originate is TS 24.229 §5.4.3.2: an initial request from a user that this S-CSCF serves. It comes over the Service-Route of
// the user's handset, or from an application server that acts for the user, registered or not (§5.7.3: "orig" in Route).
func (s *Server) originate(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, handset bool) {
	if strings.ContainsRune(out.Recipient.String(), '#') {
		s.refuse(tx, "originating", sip.Refusef(400, "the Request-URI has a raw #, which is written as %%23 (RFC 3966 §3)"))
		return
	}

	public, named := identity(out, "P-Served-User", "P-Asserted-Identity")
	if !named {
		s.refuse(tx, "originating", sip.Refuse(403, "the request does not say who it is from"))
		return
	}

	role, errRole := ims.ParseServedUser(sip.Value(out, "P-Served-User"))
	sv := &served{
		side:     originating,
		public:   public,
		handset:  handset,
		diverted: errRole == nil && !handset && role.Case == ims.ServedOriginatingCDIV,
	}

	user, found, err := s.Registrations.Registered(ctx, public)

	switch {
	case err != nil:
		s.refuse(tx, "originating", later(public, err))
		return
	case !found && handset:
		s.refuse(tx, "originating", sip.Refusef(403, "%s is not registered here", public))
		return
	case !found:
		if user, err = s.Registrations.FetchUnregistered(ctx, public); err != nil {
			s.refuse(tx, "originating", unserved(public, err))
			return
		}
	}

	if user.Public.Barred {
		s.refuse(tx, "originating", sip.Refusef(403, "%s is barred", public))
		return
	}

	sv.user = user

	if !sv.diverted { // what was diverted is still from who called
		s.assertBoth(out, user.Associated(), public)
		s.assertService(out, user)
	}

	s.serve(ctx, tx, out, sv, -1)
}

// assertBoth makes P-Asserted-Identity name the user by sip and by tel URI when it has both (§5.4.3.2 4): who is called may want
// either.
func (s *Server) assertBoth(out *sip.Request, associated []string, public string) {
	if len(sip.Values(out, "P-Asserted-Identity")) != 1 {
		return
	}

	wanted := "tel:"
	if strings.HasPrefix(public, "tel:") {
		wanted = "sip:"
	}

	for _, other := range associated {
		if strings.HasPrefix(other, wanted) && (wanted == "sip:" || ims.Number(public) == "" || ims.Number(public) == ims.Number(other)) {
			sip.Add(out, "P-Asserted-Identity", "<"+other+">")
			return
		}
	}
}
