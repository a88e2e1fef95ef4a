package administration

import (
	"reflect"

	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

// sim is what an MME sees of a SIM.
type sim struct {
	IMSI, MSISDN string
	EPS          *subscriber.EPS
}

// simOf returns what an MME sees of a SIM.
func simOf(p *subscriber.PrivateIdentity) sim { return sim{p.IMSI, p.MSISDN, p.EPS} }

// insertSubscriberData queues the change for the MMEs (IDR, TS 29.272 §5.2.2.1), or makes them detach SIMs that they may not serve any more
// (CLR). The data of the IDR is read when it is sent, so that the MME never gets older data after newer.
func (c Change) insertSubscriberData(tx *subscriber.Tx, s *subscriber.Subscription) error {
	for _, p := range s.Private {
		before, known := c.sims[p.Identity]
		now := simOf(p)

		if !known || !p.MME.Served() {
			continue
		}

		var err error

		switch {
		case before.IMSI != now.IMSI, epsdata.Withdrawn(p), !epsdata.MayStay(p):
			err = cancelLocation(tx, s, p, before.IMSI)
		case !reflect.DeepEqual(before, now):
			err = tx.Queue(&subscriber.Push{
				Command: subscriber.IDR, ServerHost: p.MME.Host, ServerRealm: p.MME.Realm, PrivateIdentity: p.Identity, IMSI: p.IMSI,
			})
		}

		if err != nil {
			return err
		}
	}

	return nil
}
