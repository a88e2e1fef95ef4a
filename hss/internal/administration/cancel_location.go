package administration

import (
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// Moved queues a CLR to the former MME of a SIM that another one serves now (TS 29.272 §5.2.1.2). An MME that has purged the SIM gets none.
func Moved(tx *subscriber.Tx, p *subscriber.PrivateIdentity, before subscriber.Location) error {
	if !before.Served() || p.MME.At(before.Host, before.Realm) {
		return nil
	}

	return cancel(tx, p.Identity, p.IMSI, before, s6a.MMEUpdateProcedure)
}

// WithdrawSIMs makes MMEs and AAA servers detach the SIMs of a subscription that is withdrawn.
func WithdrawSIMs(tx *subscriber.Tx, s *subscriber.Subscription) error {
	for _, p := range s.Private {
		if err := withdrawSIM(tx, s, p); err != nil {
			return err
		}
	}

	return nil
}

// withdrawSIM makes the MME and the AAA server detach a SIM.
func withdrawSIM(tx *subscriber.Tx, s *subscriber.Subscription, p *subscriber.PrivateIdentity) error {
	if err := cancelLocation(tx, s, p, p.IMSI); err != nil {
		return err
	}

	return terminateAAA(tx, s, p, p.IMSI)
}

// cancelLocation makes the MME detach the SIM with this IMSI, which the identity may have had before.
func cancelLocation(tx *subscriber.Tx, s *subscriber.Subscription, p *subscriber.PrivateIdentity, imsi string) error {
	if !p.MME.Served() {
		return nil
	}

	before := p.MME
	p.MME = subscriber.Location{}

	if err := tx.SaveLocation(s, p); err != nil {
		return err
	}

	return cancel(tx, p.Identity, imsi, before, s6a.SubscriptionWithdrawal)
}

func cancel(tx *subscriber.Tx, identity, imsi string, at subscriber.Location, why s6a.CancellationType) error {
	return tx.Queue(&subscriber.Push{
		Command: subscriber.CLR, ServerHost: at.Host, ServerRealm: at.Realm, PrivateIdentity: identity, IMSI: imsi, Reason: uint32(why),
	})
}
