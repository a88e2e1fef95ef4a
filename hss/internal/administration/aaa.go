package administration

import (
	"reflect"

	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// AAAChanged queues an RTR to the former AAA server of a SIM that has registered at another one (TS 29.273 §8.1.2.3).
func AAAChanged(tx *subscriber.Tx, p *subscriber.PrivateIdentity, before subscriber.AAAServer) error {
	if !before.Registered || p.AAA.Host == "" || p.AAA.At(before.Host, before.Realm) {
		return nil
	}

	return tx.Queue(rtrToAAA(p, p.IMSI, before, cx.NewServerAssigned, "another AAA server has registered the user"))
}

// terminateAAA ends the registration at an AAA server of a SIM with this IMSI, which the identity may have had before.
func terminateAAA(tx *subscriber.Tx, s *subscriber.Subscription, p *subscriber.PrivateIdentity, imsi string) error {
	if !p.AAA.Registered {
		return nil
	}

	before := p.AAA
	p.AAA = subscriber.AAAServer{}

	if err := tx.SaveAAA(s, p); err != nil {
		return err
	}

	return tx.Queue(rtrToAAA(p, imsi, before, cx.PermanentTermination, "the subscription is withdrawn"))
}

func rtrToAAA(p *subscriber.PrivateIdentity, imsi string, at subscriber.AAAServer, why cx.ReasonCode, info string) *subscriber.Push {
	return &subscriber.Push{
		Command: subscriber.SWxRTR, ServerHost: at.Host, ServerRealm: at.Realm, PrivateIdentity: p.Identity, IMSI: imsi,
		Reason: uint32(why), Info: info,
	}
}

// pushToAAA queues a PPR with the change to the AAA servers (TS 29.273 §8.1.2.3), or an RTR for SIMs that they may not serve any more.
func (c Change) pushToAAA(tx *subscriber.Tx, s *subscriber.Subscription) error {
	for _, p := range s.Private {
		before, known := c.sims[p.Identity]
		now := simOf(p)

		if !known || !p.AAA.Registered {
			continue
		}

		var err error

		switch {
		case before.IMSI != now.IMSI, epsdata.Withdrawn(p):
			err = terminateAAA(tx, s, p, before.IMSI)
		case !reflect.DeepEqual(before, now):
			err = tx.Queue(&subscriber.Push{
				Command: subscriber.SWxPPR, ServerHost: p.AAA.Host, ServerRealm: p.AAA.Realm, PrivateIdentity: p.Identity, IMSI: p.IMSI,
			})
		}

		if err != nil {
			return err
		}
	}

	return nil
}
