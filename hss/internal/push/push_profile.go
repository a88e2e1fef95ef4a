package push

import (
	"context"
	"errors"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/hss/internal/userdata"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// errOutdated means that there is nothing to push any more.
var errOutdated = errors.New("the user is elsewhere by now")

func (s *Sender) pushProfile(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	req := &cx.PPR{UserName: push.PrivateIdentity}
	req.DestinationHost = push.ServerHost

	err := s.store.View(ctx, func(tx *subscriber.Tx) error {
		who, err := tx.Identities(push.PrivateIdentity, push.PublicIdentities[0])
		if err != nil {
			return err
		}

		if !who.Match() || who.Subscription.ServerHost != push.ServerHost || who.Set.State() == subscriber.NotRegistered {
			return errOutdated
		}

		req.ChargingInformation = userdata.ChargingInformation(who.Subscription)
		if features := who.Subscription.Features; features != 0 { // the features that the data is written for (TS 29.229 §7.2)
			req.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: features}}
		}

		req.UserData, err = userdata.Of(tx, who.Subscription, who.Private, who.Set, push.PublicIdentities[0])

		return err
	})
	if err != nil {
		return diameter.Result{}, err
	}

	answer, err := diameter.Call[cx.PPA](ctx, s.node, req)
	if err != nil {
		return diameter.Result{}, fmt.Errorf("PPR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}
