package cx

import (
	"context"
	"errors"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// PushProfile queues a PPR for each of the sets meant whose profile an S-CSCF holds (TS 29.228 §6.2.2). What the PPR
// carries is read when it is sent, so that the S-CSCF never gets an older profile after a newer one.
func PushProfile(tx *subscriber.Tx, s *subscriber.Subscription, meant func(*subscriber.RegistrationSet) bool) error {
	for _, set := range s.Sets {
		private := holder(set)
		if set.State() == subscriber.NotRegistered || len(set.Public) == 0 || private == nil || !meant(set) {
			continue
		}

		err := tx.Queue(&subscriber.Push{
			Command: subscriber.PPR, ServerHost: s.ServerHost, PrivateIdentity: private.Identity,
			PublicIdentities: []string{set.Public[0].Identity},
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// holder is the private identity that a PPR for the set names: one that is registered, else any.
func holder(set *subscriber.RegistrationSet) *subscriber.PrivateIdentity {
	for _, r := range set.Registrations {
		if r.Registered {
			return r.Private
		}
	}

	return privateOf(Identities{Set: set})
}

// errOutdated means that there is nothing to push any more.
var errOutdated = errors.New("the S-CSCF does not serve the user any more")

func (p *Pushes) pushProfile(ctx context.Context, push *subscriber.Push) (cxResult, error) {
	req := &cx.PPR{UserName: push.PrivateIdentity}
	req.DestinationHost = push.ServerHost

	err := p.store.View(ctx, func(tx *subscriber.Tx) error {
		who, err := tx.Identities(push.PrivateIdentity, push.PublicIdentities[0])
		if err != nil {
			return err
		}

		if !who.Match() || who.Subscription.ServerHost != push.ServerHost || who.Set.State() == subscriber.NotRegistered {
			return errOutdated
		}

		req.ChargingInformation = chargingInformation(who.Subscription)
		if features := who.Subscription.Features; features != 0 { // that the data is written with (TS 29.229 §7.2)
			req.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: features}}
		}

		req.UserData, err = userData(tx, who.Subscription, who.Private, who.Set, push.PublicIdentities[0])

		return err
	})
	if err != nil {
		return cxResult{}, err
	}

	answer, err := diameter.Call[cx.PPA](ctx, p.node, req)
	if err != nil {
		return cxResult{}, fmt.Errorf("PPR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}
