package eps

import (
	"context"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// authenticationInformation decides an AIR (TS 29.272 §5.2.3.1.3): may vectors be given to an MME in this network, how many, and after
// which resynchronisation. Roaming is refused here and not only in the ULA, since MMEs drop refusals there (open5gs#1994).
func authenticationInformation(
	p *subscriber.PrivateIdentity,
	policy *Policy,
	plmn s6a.PLMN,
	req *s6a.AIR,
) (r authentication.Request, err error) {
	switch {
	case p == nil:
		return r, unknown(req.UserName)
	case epsdata.Subscription(p, &policy.EPS) == nil:
		return r, noSubscription(req.UserName)
	case !epsdata.MayAttach(p, plmn):
		return r, noRoaming(req.UserName, plmn)
	case req.EUTRAN == nil && req.UTRANGERAN == nil:
		return r, &diameter.Error{
			Result: diameter.MissingAVP, Message: "Requested-EUTRAN-Authentication-Info is needed",
			Failed: &s6a.FailedAVP{EUTRAN: &s6a.RequestedAuthentication{Vectors: 1}},
		}
	case req.EUTRAN == nil:
		return r, refused(s6a.AuthenticationDataUnavailable, "there are vectors for E-UTRAN only")
	}

	auts := req.EUTRAN.Resynchronisation
	if auts != nil && len(auts) != authentication.AUTSLength {
		return r, &diameter.Error{
			Result:  diameter.InvalidAVPValue,
			Message: fmt.Sprintf("Re-Synchronization-Info is RAND||AUTS, %d octets, not %d", authentication.AUTSLength, len(auts)),
			Failed:  &s6a.FailedAVP{EUTRAN: &s6a.RequestedAuthentication{Resynchronisation: auts}},
		}
	}

	return authentication.Request{
		Use: subscriber.S6a, Vectors: max(1, int(min(req.EUTRAN.Vectors, uint32(policy.MaxVectors)))), Resynchronise: auts,
		Wrong: s6a.AuthenticationDataUnavailable,
	}, nil
}

func (s *Server) authenticationInformation(ctx context.Context, req *s6a.AIR) (*s6a.AIA, error) {
	var (
		vectors []s6a.EUTRANVector
		sim     *subscriber.PrivateIdentity
		began   = time.Now()
	)

	plmn, err := visited(req.VisitedPLMN)
	if err == nil {
		err = s.store.Update(ctx, func(tx *subscriber.Tx) error {
			subscription, p, err := tx.SIM(req.UserName)
			if sim = p; err != nil {
				return err
			}

			asked, err := authenticationInformation(p, &s.policy, plmn, req)
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

			vectors, err = authentication.EUTRANVectors(p, secrets, [3]byte(req.VisitedPLMN), numbers)

			return err
		})
	}

	s.remember(began, sim, req.UserName, kindOf(req), err)

	if err != nil { // the store failed; the user is not unknown
		return nil, fmt.Errorf("AIR for %s: %w", req.UserName, err)
	}

	return &s6a.AIA{Authentication: &s6a.Authentication{EUTRAN: vectors}}, nil
}

func kindOf(req *s6a.AIR) attempt.Kind {
	if req.EUTRAN != nil && req.EUTRAN.Resynchronisation != nil {
		return attempt.MMEResynchronisation
	}

	return attempt.MMEChallenge
}
