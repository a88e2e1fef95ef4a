package session

import (
	"context"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const serverTimeout = 5 * time.Second // for an application server's first response

// originate is TS 24.229 §5.4.3.2: an initial request from a user that this S-CSCF serves.
func (s *Server) originate(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request) {
	public, named := identity(out, "P-Served-User", "P-Asserted-Identity")
	if !named {
		s.refuse(tx, "originating", 403, sipReason(403, "the request does not say who it is from"))
		return
	}

	user, found := s.Registrations.Lookup(public)

	switch {
	case !found:
		s.refuse(tx, "originating", 403, sipReason(403, public+" is not registered here"))
		return
	case user.Public.Barred:
		s.refuse(tx, "originating", 403, sipReason(403, public+" is barred"))
		return
	}

	s.assertBoth(out, user.Associated(), public)
	s.filter(ctx, tx, out, &served{side: originating, user: user, public: public}, -1)
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

// towards is the branch of a request that leaves the originating side: users of the home network are found by the I-CSCF, others
// by the name of their network.
func (s *Server) towards(out *sip.Request) sip.Branch {
	r := sip.Copy(out)

	if s.ours(r.Recipient) {
		sip.PushRoute(r, s.Config.Interrogator+";lr")
	} else {
		sip.Remove(r, "P-Access-Network-Info") // §5.4.3.2 11: not beyond the trust domain
	}

	return sip.Branch{Request: r}
}

// ours tells a target of the home network: its domain, or a number.
func (s *Server) ours(u sip.Uri) bool {
	return u.Scheme == "tel" || strings.EqualFold(u.Host, s.Config.HomeDomain)
}
