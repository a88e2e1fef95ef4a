package eps

import (
	"context"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// purgeUE answers a PUR (TS 29.272 §5.2.1.3.3): the MME has purged the SIM. A former MME gets a success, and the location that another MME
// has set stays.
func (s *Server) purgeUE(ctx context.Context, req *s6a.PUR) (*s6a.PUA, error) {
	var (
		flags s6a.PUAFlags
		sim   *subscriber.PrivateIdentity
		began = time.Now()
	)

	err := s.store.Update(ctx, func(tx *subscriber.Tx) error {
		subscription, p, err := tx.SIM(req.UserName)
		sim = p

		switch {
		case err != nil:
			return err
		case p == nil:
			return unknown(req.UserName)
		case !p.MME.At(req.OriginHost, req.OriginRealm):
			return nil
		}

		flags |= s6a.FreezeMTMSI
		p.MME.Purged = true

		return tx.SaveLocation(subscription, p)
	})
	if err != nil || flags != 0 { // that of a former MME says nothing of the SIM
		s.remember(began, sim, req.UserName, attempt.Purge, err)
	}

	if err != nil {
		return nil, fmt.Errorf("PUR for %s: %w", req.UserName, err)
	}

	return &s6a.PUA{Flags: &flags}, nil
}
