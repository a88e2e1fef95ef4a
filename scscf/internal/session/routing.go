package session

import (
	"context"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// routeOnwards returns the branch of a request that leaves the originating side: users of the home network are found by the I-CSCF,
// others by the name of their network.
func (s *Server) routeOnwards(ctx context.Context, out *sip.Request) (stack.Branch, error) {
	r := sip.Copy(out)

	if !s.ours(r.Recipient) {
		return s.routeAbroad(ctx, r)
	}

	sip.PushRoute(r, s.config.Interrogator+";lr")

	return stack.Branch{Request: r}, nil
}

// ours reports whether a target is in the home network: in its domain, or a number.
func (s *Server) ours(u sip.Uri) bool {
	return u.Scheme == "tel" || strings.EqualFold(u.Host, s.config.HomeDomain)
}

// userUnknown reports whether a response is that of an I-CSCF whose HSS has no such user.
func userUnknown(r *sip.Response) bool {
	if stack.Local(r) || r.StatusCode != 404 && r.StatusCode != 604 {
		return false
	}

	return slices.ContainsFunc(sip.Reasons(r), func(reason sip.Reason) bool {
		return reason.Is(sip.ProtocolDiameter, int(cx.ErrorUserUnknown.Code))
	})
}

// breakout returns the branch to a number that nobody at home has.
func (s *Server) breakout(out *sip.Request) (stack.Branch, bool) {
	if s.staysHere(out.Recipient) != nil {
		return stack.Branch{}, false
	}

	exit, found := s.numbers.Breakout(out.Recipient)
	if !found {
		return stack.Branch{}, false
	}

	r := sip.Copy(out)
	r.Recipient = exit.Target

	if exit.BGCF {
		sip.PushRoute(r, exit.Route)
	}

	return stack.Branch{Request: r, Label: exit.Route}, true
}
