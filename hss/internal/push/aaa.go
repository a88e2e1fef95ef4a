package push

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// terminateAtAAA sends an RTR to an AAA server (TS 29.273 §8.1.2.3), unless the SIM has returned to it since.
func (s *Sender) terminateAtAAA(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	err := s.store.View(ctx, func(tx *subscriber.Tx) error {
		_, p, err := tx.SIM(push.IMSI)
		if err == nil && p != nil && p.AAA.At(push.ServerHost, push.ServerRealm) && p.AAA.Since.After(push.Created) {
			return errOutdated
		}

		return err
	})
	if err != nil {
		return diameter.Result{}, err
	}

	answer, err := diameter.Call[swx.RTA](ctx, s.node, &swx.RTR{
		RequestHeader: to(push), UserName: push.IMSI, Reason: cx.DeregistrationReason{Code: cx.ReasonCode(push.Reason), Info: push.Info},
	})
	if err != nil {
		return diameter.Result{}, fmt.Errorf("RTR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}

// pushToAAA sends a PPR (TS 29.273 §8.1.2.3) with all data of the SIM for the AAA server; or the one that says that the HSS may have lost
// what was reported (§8.1.2.4.1).
func (s *Sender) pushToAAA(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	req := &swx.PPR{RequestHeader: to(push), UserName: push.IMSI}

	if push.IMSI == swx.EveryUser {
		req.Flags = swx.PPRFlags(push.Reason)
		req.SupportedFeatures = []cx.SupportedFeatures{{VendorID: swx.VendorID, FeatureListID: 1, FeatureList: swx.FeatureRestoration}}

		return s.sendPPR(ctx, push, req)
	}

	err := s.store.View(ctx, func(tx *subscriber.Tx) error {
		_, p, err := tx.SIM(push.IMSI)
		if err != nil {
			return err
		}

		if p == nil || !p.AAA.Registered || !p.AAA.At(push.ServerHost, push.ServerRealm) {
			return errOutdated
		}

		e := epsdata.Subscription(p, s.eps)
		if e == nil {
			return errOutdated
		}

		req.UserData = epsdata.OfAAA(e, p)

		return nil
	})
	if err != nil {
		return diameter.Result{}, err
	}

	return s.sendPPR(ctx, push, req)
}

func (s *Sender) sendPPR(ctx context.Context, push *subscriber.Push, req *swx.PPR) (diameter.Result, error) {
	answer, err := diameter.Call[swx.PPA](ctx, s.node, req)
	if err != nil {
		return diameter.Result{}, fmt.Errorf("PPR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}
