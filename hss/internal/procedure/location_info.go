package procedure

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// locationInfo decides a LIR (TS 29.228 §6.1.4): where is the S-CSCF of this identity, or which may serve it. Numbers are
// the steps of §6.1.4.1. A LIR is a query: nothing is changed.
func locationInfo(who identities, req *cx.LIR) (*cx.LIA, error) {
	originating := req.OriginatingRequest != nil

	switch {
	case req.OriginatingRequest != nil && *req.OriginatingRequest != 0:
		return nil, invalid("Originating-Request", *req.OriginatingRequest, &cx.FailedAVP{OriginatingRequest: req.OriginatingRequest})
	case who.Public == nil: // 1
		return nil, refused(cx.ErrorUserUnknown, "no public identity %s", req.PublicIdentity)
	}

	answer := cx.LIA{}
	if who.Public.Wildcard {
		answer.WildcardedPublicIdentity = who.Public.Identity
	}

	if who.Public.ApplicationServer != "" && !originating { // 2: a service that the I-CSCF reaches directly
		answer.ServerName = who.Public.ApplicationServer
		return lia(answer, cx.Success), nil
	}

	if req.Type != nil && *req.Type == cx.RegistrationAndCapabilities { // 3
		answer.Capabilities = capabilities(who.Subscription)
		return lia(answer, cx.Success), nil
	}

	switch { // 4
	case who.Set.State() != subscriber.NotRegistered:
		answer.ServerName = who.Subscription.ServerName
		return lia(answer, cx.Success), nil
	case !originating && !unregisteredServices(who.Public):
		return nil, refused(cx.ErrorIdentityNotRegistered, "%s has no service for a user who is not registered", req.PublicIdentity)
	case who.Subscription.ServerName != "": // another identity of the subscription is at an S-CSCF already
		answer.ServerName = who.Subscription.ServerName
		return lia(answer, cx.Success), nil
	default:
		answer.Capabilities = capabilities(who.Subscription)
		return lia(answer, cx.UnregisteredService), nil
	}
}

// unregisteredServices reports whether an identity has services while unregistered; a service identity, which never registers, is included.
func unregisteredServices(p *subscriber.PublicIdentity) bool {
	return p.Kind == subscriber.Service || p.Profile != nil && p.Profile.UnregisteredServices
}

func (s *Server) locationInfo(ctx context.Context, req *cx.LIR) (*cx.LIA, error) {
	var who identities

	err := s.store.View(ctx, func(tx *subscriber.Tx) (err error) {
		if who, err = tx.Identities("", canonical(req.PublicIdentity)); err != nil || who.Subscription == nil {
			return err
		}

		return tx.Profiles(who.Subscription)
	})
	if err != nil {
		return nil, fmt.Errorf("LIR for %s: %w", req.PublicIdentity, err)
	}

	return locationInfo(who, req)
}

func lia(answer cx.LIA, result cxResult) *cx.LIA {
	answer.Result = result
	return &answer
}
