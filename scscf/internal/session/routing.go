package session

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

const enumTime = 3 * time.Second // for a translation; the call goes on without it

// translate makes a global number of what was dialled, and by ENUM the URI of who has it (TS 24.229 §5.4.3.2, RFC 6116). What
// nobody translates goes on as it is. own is the number of who dials.
func (s *Server) translate(ctx context.Context, out *sip.Request, own string) {
	dialled := out.Recipient.String()

	number, phoneContext, ok := s.Config.Numbers.dialled(dialled, s.Config.HomeDomain)

	global := ""
	if ok {
		global = s.Config.Numbers.global(number, phoneContext)
	}

	if global == "" {
		global = s.homeLocal(ctx, dialled, own)
	}

	switch {
	case global == "" && ok:
		s.Log.Info("a local number that neither the numbering plan nor the HSS knows", "dialled", dialled)
		return
	case global == "":
		return
	}

	if global != number {
		s.retarget(out, "tel:"+global)
	}

	if s.Enum == nil {
		return
	}

	ctx, cancel := context.WithTimeout(ctx, enumTime)
	defer cancel()

	switch uri, err := s.Enum.Translate(ctx, global); {
	case err != nil:
		s.Log.Warn("ENUM does not answer; the number goes on as it is", "number", global, "error", err)
	case uri != "":
		s.retarget(out, uri)
	}
}

func (s *Server) retarget(out *sip.Request, uri string) {
	target, err := sip.ParseURI(uri)
	if err != nil || target.Scheme != "sip" && target.Scheme != "sips" && target.Scheme != "tel" {
		s.Log.Warn("a translated number cannot be called", "number", out.Recipient.String(), "uri", uri, "error", err)
		return
	}

	target.Headers = nil
	out.Recipient = target
}

// towards is the branch of a request that leaves the originating side: users of the home network are found by the I-CSCF, others
// by the name of their network.
func (s *Server) towards(ctx context.Context, out *sip.Request) (stack.Branch, error) {
	r := sip.Copy(out)

	if !s.ours(r.Recipient) {
		return s.abroad(ctx, r)
	}

	sip.PushRoute(r, s.Config.Interrogator+";lr")

	return stack.Branch{Request: r}, nil
}

// ours tells a target of the home network: its domain, or a number.
func (s *Server) ours(u sip.Uri) bool {
	return u.Scheme == "tel" || strings.EqualFold(u.Host, s.Config.HomeDomain)
}

// nobody tells the answer of an I-CSCF whose HSS has no such user.
func nobody(r *sip.Response) bool {
	if stack.Local(r) || r.StatusCode != 404 && r.StatusCode != 604 {
		return false
	}

	return slices.ContainsFunc(sip.Reasons(r), func(reason sip.Reason) bool {
		return reason.Is(sip.ProtocolDiameter, int(cx.ErrorUserUnknown.Code))
	})
}

// breakout is the branch of a number that is nobody's here (TS 24.229 §5.4.3.2: to a BGCF, or what stands for it).
func (s *Server) breakout(out *sip.Request) (stack.Branch, bool) {
	number, _, ok := s.Config.Numbers.dialled(out.Recipient.String(), s.Config.HomeDomain)
	if !ok {
		return stack.Branch{}, false
	}

	_, route, found := longestPrefix(s.Config.Numbers.Breakout, number)
	if !found {
		s.Log.Info("nobody here has the number, and sessions.numbers.breakout has no route for it", "number", number)
		return stack.Branch{}, false
	}

	r := sip.Copy(out)

	u, err := sip.ParseURI(route)
	if err != nil {
		return stack.Branch{}, false // Validate has seen it
	}

	if u.UriParams.Has("lr") {
		sip.PushRoute(r, route)
	} else {
		u.User = ims.EscapeNumber(number)
		u.UriParams.Add("user", "phone")
		r.Recipient = u
	}

	return stack.Branch{Request: r, Label: route}, true
}
