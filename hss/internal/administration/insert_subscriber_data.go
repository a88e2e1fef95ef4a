package administration

import (
	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// sim is what an MME sees of a SIM.
type sim struct {
	IMSI, MSISDN string
	EPS          *subscriber.EPS
}

// simOf returns what an MME sees of a SIM.
func simOf(p *subscriber.PrivateIdentity) sim { return sim{p.IMSI, p.MSISDN, p.EPS} }

// insertSubscriberData queues the change for the MMEs (IDR, TS 29.272 §5.2.2.1; DSR, §5.2.2.2), or makes them detach SIMs that they may
// not serve any more (CLR). The data of the IDR is read when it is sent, so that the MME never gets older data after newer.
func (c Change) insertSubscriberData(tx *subscriber.Tx, s *subscriber.Subscription) error {
	for _, p := range s.Private {
		before, known := c.sims[p.Identity]
		now := simOf(p)

		if !known || !p.MME.Served() {
			continue
		}

		if before.IMSI != now.IMSI || epsdata.Withdrawn(p) || !epsdata.MayStay(p) {
			if err := cancelLocation(tx, s, p, before.IMSI); err != nil {
				return err
			}

			continue
		}

		flags, contexts, more := withdrawn(before, now, p.MME.Features)

		if flags != 0 {
			if err := tx.Queue(toMME(subscriber.DSR, p, flags, contexts)); err != nil {
				return err
			}
		}

		if more {
			if err := tx.Queue(toMME(subscriber.IDR, p, 0, nil)); err != nil {
				return err
			}
		}
	}

	return nil
}

func toMME(command subscriber.PushCommand, p *subscriber.PrivateIdentity, flags s6a.DSRFlags, contexts []uint32) *subscriber.Push {
	return &subscriber.Push{
		Command: command, ServerHost: p.MME.Host, ServerRealm: p.MME.Realm, PrivateIdentity: p.Identity, IMSI: p.IMSI,
		Reason: uint32(flags), Contexts: contexts,
	}
}
