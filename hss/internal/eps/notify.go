package eps

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// notify answers a NOR (TS 29.272 §5.2.5.1.3). Of its content the terminal is stored; the rest serves services that this HSS does not have.
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
		if imei == "" || imei == p.MME.IMEI {
			return nil
		}

		p.MME.IMEI = imei

		return tx.SaveLocation(subscription, p)
	})
	if err != nil {
		return nil, fmt.Errorf("NOR for %s: %w", req.UserName, err)
	}

	return new(s6a.NOA), nil
}
