package procedure

import (
	"context"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// userAuthorization decides a UAR (TS 29.228 §6.1.1): may this user register here, and at which S-CSCF. Numbers are the
// steps of §6.1.1.1; the first that fails is the answer. A UAR is a query: nothing is changed.
func userAuthorization(who identities, req *cx.UAR) (*cx.UAA, error) {
	emergency := req.Flags&cx.EmergencyRegistration != 0

	switch {
	case who.Private == nil: // 1
		return nil, refused(cx.ErrorUserUnknown, "no private identity %s", req.UserName)
	case who.Public == nil:
		return nil, refused(cx.ErrorUserUnknown, "no public identity %s", req.PublicIdentity)
	case !who.Match(): // 2
		return nil, refused(cx.ErrorIdentitiesDontMatch, "%s is not of %s", req.PublicIdentity, req.UserName)
	case !emergency && who.Set.Barred(): // 3
		return nil, refused(cx.AuthorizationRejected, "every identity registered with %s is barred", req.PublicIdentity)
	}

	if req.Type != cx.DeRegistration { // 4
		switch {
		case !emergency && !who.Private.MayRoam(req.VisitedNetwork):
			return nil, refused(cx.ErrorRoamingNotAllowed, "%s may not be served in %s", req.UserName, req.VisitedNetwork)
		case !emergency && !who.Public.MayRegister:
			return nil, refused(cx.AuthorizationRejected, "%s may not be registered", req.PublicIdentity)
		case req.Type == cx.RegistrationAndCapabilities:
			return uaa(cx.UAA{Capabilities: capabilities(who.Subscription)}, cx.Success), nil
		}
	}

	server, state := who.Subscription.ServerName, who.Set.State()

	switch { // 5
	case req.Type == cx.DeRegistration && state != subscriber.Registered:
		return nil, refused(cx.ErrorIdentityNotRegistered, "%s is %v", req.PublicIdentity, state)
	case req.Type == cx.DeRegistration:
		return uaa(cx.UAA{ServerName: server}, cx.Success), nil
	case server != "":
		return uaa(cx.UAA{ServerName: server}, cx.SubsequentRegistration), nil
	default:
		return uaa(cx.UAA{Capabilities: capabilities(who.Subscription)}, cx.FirstRegistration), nil
	}
}

func (s *Server) userAuthorization(ctx context.Context, req *cx.UAR) (*cx.UAA, error) {
	began := time.Now()
	answer, err := s.authorize(ctx, req)

	result := cx.Success
	if answer != nil {
		result = answer.Result
	}

	s.remember(began, req.UserName, req.PublicIdentity, ofUAR[req.Type], result, err)

	return answer, err
}

func (s *Server) authorize(ctx context.Context, req *cx.UAR) (*cx.UAA, error) {
	who, err := s.store.Identities(ctx, req.UserName, canonical(req.PublicIdentity))
	if err != nil { // the store failed; the user is not unknown
		return nil, fmt.Errorf("UAR for %s: %w", req.UserName, err)
	}

	return userAuthorization(who, req)
}

func uaa(answer cx.UAA, result cxResult) *cx.UAA {
	answer.Result = result
	return &answer
}
