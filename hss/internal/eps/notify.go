package eps

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// notify answers a NOR (TS 29.272 §5.2.5.1.3). Of its content the terminal is stored, and the PDN gateways of APNs; the rest serves
// services that this HSS does not have.
func (s *Server) notify(ctx context.Context, req *s6a.NOR) (*s6a.NOA, error) {
	err := s.store.Update(ctx, func(tx *subscriber.Tx) error {
		subscription, p, err := tx.SIM(req.UserName)

		switch {
		case err != nil:
			return err
		case p == nil:
			return unknown(req.UserName)
		case !p.MME.At(req.OriginHost, req.OriginRealm):
			return refused(s6a.ErrorUnknownServingNode, "%s is not served by %s", req.UserName, req.OriginHost)
		}

		imei := imeiOf(req.Terminal)
		changed := imei != "" && imei != p.MME.IMEI

		if changed {
			p.MME.IMEI = imei
		}

		if req.Flags&s6a.ForgetPGWs != 0 && len(p.PGWs) > 0 {
			p.PGWs, changed = nil, true
		}

		if req.PGW != nil {
			if err := s.gateway(p, req); err != nil {
				return err
			}

			changed = true
		}

		if !changed {
			return nil
		}

		return tx.SaveLocation(subscription, p)
	})
	if err != nil {
		return nil, fmt.Errorf("NOR for %s: %w", req.UserName, err)
	}

	return new(s6a.NOA), nil
}

// gateway records the PDN gateway of an APN, so that the connection can move to another access.
func (s *Server) gateway(p *subscriber.PrivateIdentity, req *s6a.NOR) error {
	e := epsdata.Subscription(p, &s.policy.EPS)
	if e == nil {
		return noSubscription(req.UserName)
	}

	apn := epsdata.APN(e, req.APN, req.Context)
	if apn == "" {
		return refused(s6a.UnableToComply, "%s has no APN %q", req.UserName, req.APN)
	}

	g, stated := epsdata.Gateway(apn, req.PGW, req.VisitedNetwork)
	if !stated {
		return &diameter.Error{
			Result: diameter.InvalidAVPValue, Message: "MIP6-Agent-Info names no gateway", Failed: &s6a.FailedAVP{PGW: req.PGW},
		}
	}

	p.SetGateway(g)

	return nil
}
