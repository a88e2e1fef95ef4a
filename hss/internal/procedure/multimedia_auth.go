package procedure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// vectorRequest is what the answer to a MAR needs.
type vectorRequest struct {
	Scheme        subscriber.Scheme
	AKA           string // scheme that the S-CSCF asks for; "": the HSS chooses
	Vectors       int
	Resynchronise []byte // RAND||AUTS, or nil
}

// multimediaAuth decides a MAR (TS 29.228 §6.3): which authentication data the S-CSCF gets. Numbers are the steps of
// §6.3.1. It records that authentication is pending and, unless the SIM asks to be resynchronised, that the S-CSCF is the
// user's from now on (§8.1.1).
func multimediaAuth(who identities, req *cx.MAR, maxVectors int) (vectorRequest, error) {
	switch {
	case req.NumberOfAuthVectors == 0:
		return vectorRequest{}, invalid("SIP-Number-Auth-Items", req.NumberOfAuthVectors, &cx.FailedAVP{
			NumberOfAuthVectors: &req.NumberOfAuthVectors,
		})
	case who.Private == nil: // 1
		return vectorRequest{}, refused(cx.ErrorUserUnknown, "no private identity %s", req.UserName)
	case who.Public == nil:
		return vectorRequest{}, refused(cx.ErrorUserUnknown, "no public identity %s", req.PublicIdentity)
	case !who.Match(): // 2
		return vectorRequest{}, refused(cx.ErrorIdentitiesDontMatch, "%s is not of %s", req.PublicIdentity, req.UserName)
	}

	challenge := vectorRequest{Scheme: who.Private.Scheme, Vectors: min(int(min(req.NumberOfAuthVectors, 1<<16)), maxVectors)}

	switch asked := req.AuthDataItem.Scheme; { // 3
	case asked == cx.SchemeUnknown,
		asked == cx.SchemeSIPDigest && challenge.Scheme == subscriber.SIPDigest:
	case slices.Contains(cx.SchemesOfAKA, asked) && challenge.Scheme == subscriber.AKA:
		challenge.AKA = asked
	default:
		return vectorRequest{}, refused(cx.ErrorAuthSchemeNotSupported, "%s authenticates by %s, not by %q",
			req.UserName, challenge.Scheme, asked)
	}

	server := who.Subscription.ServerName

	if authorization := req.AuthDataItem.Authorization; authorization != nil && challenge.Scheme == subscriber.AKA { // 4
		switch {
		case len(authorization) != authentication.AUTSLength:
			return vectorRequest{}, badAuthorization(authorization)
		case server != req.ServerName:
			return vectorRequest{}, refused(cx.UnableToComply, "resynchronisation from %s, but the S-CSCF is %q", req.ServerName, server)
		}

		challenge.Resynchronise = authorization

		return challenge, nil
	}

	if server != req.ServerName { // 5
		who.Subscription.Reassign(req.ServerName, req.OriginHost)
		who.Set.AuthenticationBegun(who.Private)
	} else if !who.Set.Registration(who.Private).Registered {
		who.Set.AuthenticationBegun(who.Private)
	}

	return challenge, nil
}

func badAuthorization(value []byte) error {
	return &diameter.Error{
		Result:  diameter.InvalidAVPValue,
		Message: fmt.Sprintf("SIP-Authorization of a resynchronisation is RAND||AUTS, %d octets, not %d", authentication.AUTSLength, len(value)),
		Failed:  &cx.FailedAVP{AuthDataItem: &cx.AuthDataItem{Authorization: value}}, // within its group (RFC 6733 §7.5)
	}
}

func (s *Server) multimediaAuth(ctx context.Context, req *cx.MAR) (*cx.MAA, error) {
	var items []cx.AuthDataItem

	began := time.Now()
	err := s.store.Update(ctx, func(tx *subscriber.Tx) error {
		who, err := tx.Identities(req.UserName, canonical(req.PublicIdentity))
		if err != nil {
			return err
		}

		challenge, err := multimediaAuth(who, req, s.policy.MaxVectors)
		if err != nil {
			return err
		}

		if err := tx.SaveRegistration(who.Subscription); err != nil {
			return err
		}

		items, err = s.authenticationData(tx, who, challenge)

		return err
	})
	s.remember(began, req.UserName, req.PublicIdentity, ofMAR(req), cx.Success, err)

	if err != nil {
		return nil, fmt.Errorf("MAR for %s: %w", req.UserName, err)
	}

	answer := &cx.MAA{
		UserName: req.UserName, PublicIdentity: req.PublicIdentity,
		NumberOfAuthVectors: uint32(len(items)), AuthDataItems: items,
	}
	answer.Result = cx.Success

	return answer, nil
}

func (s *Server) authenticationData(tx *subscriber.Tx, who identities, c vectorRequest) ([]cx.AuthDataItem, error) {
	p := who.Private

	secrets, err := tx.Secrets(p)
	if err != nil {
		return nil, err
	}

	if c.Scheme == subscriber.SIPDigest {
		item, err := authentication.Digest(p, secrets, s.policy.DigestRealm)
		return []cx.AuthDataItem{item}, err
	}

	numbers, err := s.centre.Numbers(tx, who.Subscription, p, secrets, authentication.Request{
		Use: subscriber.Cx, Vectors: c.Vectors, Resynchronise: c.Resynchronise, Wrong: cx.UnableToComply,
	})
	if err != nil {
		return nil, err
	}

	return authentication.Vectors(p, secrets, cmp.Or(c.AKA, s.policy.AKA), numbers)
}
