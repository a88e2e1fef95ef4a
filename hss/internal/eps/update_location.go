package eps

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/administration"
	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// radios maps the RAT-Types that an MME serves (TS 29.212 §5.3.31) to radios.
var radios = map[s6a.RATType]subscriber.RadioAccess{
	s6a.EUTRAN: subscriber.WBEUTRAN, s6a.EUTRANNBIoT: subscriber.NBIoT, s6a.LTEM: subscriber.LTEM,
}

// updateLocation decides a ULR (TS 29.272 §5.2.1.1.3): may this MME serve the SIM, and which data does it get.
func updateLocation(p *subscriber.PrivateIdentity, policy *Policy, plmn s6a.PLMN, req *s6a.ULR) (*subscriber.EPS, error) {
	if p == nil {
		return nil, unknown(req.UserName)
	}

	e := epsdata.Subscription(p, &policy.EPS)
	radio, served := radios[req.RATType]

	switch {
	case e == nil:
		return nil, noSubscription(req.UserName)
	case !served:
		return nil, refused(s6a.ErrorRATNotAllowed, "RAT-Type %d is none of E-UTRAN", req.RATType)
	case slices.Contains(e.NotAllowed, radio):
		return nil, refused(s6a.ErrorRATNotAllowed, "%s may not attach by %s", req.UserName, radio)
	case !epsdata.MayAttach(p, plmn):
		return nil, noRoaming(req.UserName, plmn)
	default:
		return e, nil
	}
}

func (s *Server) updateLocation(ctx context.Context, req *s6a.ULR) (*s6a.ULA, error) {
	var (
		data  s6a.SubscriptionData
		sim   *subscriber.PrivateIdentity
		began = time.Now()
	)

	plmn, err := visited(req.VisitedPLMN)
	if err == nil {
		err = s.store.Update(ctx, func(tx *subscriber.Tx) error {
			subscription, p, err := tx.SIM(req.UserName)
			if sim = p; err != nil {
				return err
			}

			e, err := updateLocation(p, &s.policy, plmn, req)
			if err != nil {
				return err
			}

			before := p.MME
			p.MME = subscriber.Location{
				Host: req.OriginHost, Realm: req.OriginRealm, PLMN: plmn.String(), IMEI: imeiOf(req.Terminal),
				Since: time.Now().UTC().Truncate(time.Microsecond),
			}

			if cx.Has(req.SupportedFeatures, features) {
				p.MME.Features = features
			}

			data = epsdata.Of(e, p)

			if err := tx.SaveLocation(subscription, p); err != nil {
				return err
			}

			return administration.Moved(tx, p, before)
		})
	}

	s.remember(began, sim, req.UserName, attempt.LocationUpdate, err)

	if err != nil {
		return nil, fmt.Errorf("ULR for %s: %w", req.UserName, err)
	}

	s.wake()
	s.log.Info("location updated", "imsi", req.UserName, "peer", req.OriginHost)

	flags := s6a.SeparationIndication

	return &s6a.ULA{Flags: &flags, Subscription: &data}, nil
}
