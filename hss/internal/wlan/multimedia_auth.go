package wlan

import (
	"context"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// multimediaAuth decides a MAR (TS 29.273 §8.1.2.1.2): how many vectors the AAA server gets, after which resynchronisation, and for which
// access network; "" for EAP-AKA.
func multimediaAuth(policy Policy, req *swx.MAR) (r authentication.Request, network string, err error) {
	auts := req.AuthDataItem.Authorization

	switch scheme := req.AuthDataItem.Scheme; {
	case scheme != swx.SchemeEAPAKA && scheme != swx.SchemeEAPAKAPrime:
		return r, "", refused(swx.ErrorAuthSchemeNotSupported, "%q is neither %s nor %s", scheme, swx.SchemeEAPAKA, swx.SchemeEAPAKAPrime)
	case scheme == swx.SchemeEAPAKAPrime && req.ANID == "":
		return r, "", &diameter.Error{
			Result: diameter.MissingAVP, Message: "ANID is needed, as the keys of EAP-AKA' are bound to it",
			Failed: &swx.FailedAVP{ANID: "WLAN"},
		}
	case req.NumberOfAuthVectors == 0:
		return r, "", &diameter.Error{
			Result: diameter.InvalidAVPValue, Message: "SIP-Number-Auth-Items is 0",
			Failed: &swx.FailedAVP{NumberOfAuthVectors: &req.NumberOfAuthVectors},
		}
	case auts != nil && len(auts) != authentication.AUTSLength:
		return r, "", &diameter.Error{
			Result:  diameter.InvalidAVPValue,
			Message: fmt.Sprintf("SIP-Authorization of a resynchronisation is RAND||AUTS, %d octets, not %d", authentication.AUTSLength, len(auts)),
			Failed:  &swx.FailedAVP{AuthDataItem: &swx.AuthDataItem{Authorization: auts}},
		}
	case scheme == swx.SchemeEAPAKAPrime:
		network = req.ANID
	}

	return authentication.Request{
		Use: subscriber.SWx, Vectors: int(min(req.NumberOfAuthVectors, uint32(policy.MaxVectors))), Resynchronise: auts,
		Wrong: swx.UnableToComply,
	}, network, nil
}

func (s *Server) multimediaAuth(ctx context.Context, req *swx.MAR) (*swx.MAA, error) {
	var (
		items []swx.AuthDataItem
		sim   *subscriber.PrivateIdentity
		began = time.Now()
	)

	err := s.store.Update(ctx, func(tx *subscriber.Tx) error {
		subscription, p, err := tx.SIM(imsiOf(req.UserName))
		if sim = p; err != nil {
			return err
		}

		if err := s.mayUse(p, req.UserName, req.VisitedNetwork); err != nil {
			return err
		}

		asked, network, err := multimediaAuth(s.policy, req)
		if err != nil {
			return err
		}

		secrets, err := tx.Secrets(p)
		if err != nil {
			return err
		}

		numbers, err := s.centre.Numbers(tx, subscription, p, secrets, asked)
		if err != nil {
			return err
		}

		items, err = authentication.EAPVectors(p, secrets, network, numbers)

		return err
	})
	kind := attempt.AAAChallenge
	if req.AuthDataItem.Authorization != nil {
		kind = attempt.AAAResynchronisation
	}

	s.remember(began, sim, req.UserName, kind, err)

	if err != nil {
		return nil, fmt.Errorf("MAR of SWx for %s: %w", req.UserName, err)
	}

	return &swx.MAA{UserName: req.UserName, NumberOfAuthVectors: uint32(len(items)), AuthDataItems: items}, nil
}
