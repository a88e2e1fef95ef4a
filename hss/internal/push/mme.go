package push

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// to returns the header of a request to the MME of a push.
func to(push *subscriber.Push) (h s6a.RequestHeader) {
	h.DestinationHost, h.DestinationRealm = push.ServerHost, push.ServerRealm

	return h
}

// cancelLocation sends a CLR (TS 29.272 §5.2.1.2), unless the SIM has returned to the MME since.
func (s *Sender) cancelLocation(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	err := s.store.View(ctx, func(tx *subscriber.Tx) error {
		_, p, err := tx.SIM(push.IMSI)
		if err == nil && p != nil && p.MME.At(push.ServerHost, push.ServerRealm) && !p.MME.Since.Before(push.Created) {
			return errOutdated
		}

		return err
	})
	if err != nil {
		return diameter.Result{}, err
	}

	answer, err := diameter.Call[s6a.CLA](ctx, s.node, &s6a.CLR{
		RequestHeader: to(push), UserName: push.IMSI, Type: s6a.CancellationType(push.Reason), Flags: s6a.OfMME,
	})
	if err != nil {
		return diameter.Result{}, fmt.Errorf("CLR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}

// insertSubscriberData sends an IDR (TS 29.272 §5.2.2.1) with all data of the SIM for the MME.
func (s *Sender) insertSubscriberData(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	req := &s6a.IDR{RequestHeader: to(push), UserName: push.IMSI}

	err := s.store.View(ctx, func(tx *subscriber.Tx) error {
		_, p, err := tx.SIM(push.IMSI)
		if err != nil {
			return err
		}

		if p == nil || !p.MME.Served() || !p.MME.At(push.ServerHost, push.ServerRealm) {
			return errOutdated
		}

		e := epsdata.Subscription(p, s.eps)
		if e == nil {
			return errOutdated
		}

		req.Subscription = epsdata.Of(e, p)
		if features := p.MME.Features; features != 0 { // those that the data is written for (TS 29.272 §7.3.10)
			req.SupportedFeatures = []cx.SupportedFeatures{{VendorID: s6a.VendorID, FeatureListID: 1, FeatureList: features}}
		}

		return nil
	})
	if err != nil {
		return diameter.Result{}, err
	}

	answer, err := diameter.Call[s6a.IDA](ctx, s.node, req)
	if err != nil {
		return diameter.Result{}, fmt.Errorf("IDR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}

// deleteSubscriberData sends a DSR (TS 29.272 §5.2.2.2), without what the SIM has been given again since. For an MME that does not have the
// command, as Open5GS's, an IDR with all that is left does.
func (s *Sender) deleteSubscriberData(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	req := &s6a.DSR{RequestHeader: to(push), UserName: push.IMSI, Flags: s6a.DSRFlags(push.Reason)}

	err := s.store.View(ctx, func(tx *subscriber.Tx) error {
		_, p, err := tx.SIM(push.IMSI)
		if err != nil {
			return err
		}

		if p == nil || !p.MME.Served() || !p.MME.At(push.ServerHost, push.ServerRealm) {
			return errOutdated
		}

		e := epsdata.Subscription(p, s.eps)
		if e == nil {
			return errOutdated
		}

		if len(e.Zones) > 0 {
			req.Flags &^= s6a.ZonesWithdrawn | s6a.RoamingRestrictionWithdrawn
		}

		for _, context := range push.Contexts {
			if epsdata.APN(e, "", &context) == "" {
				req.Contexts = append(req.Contexts, context)
			}
		}

		if len(req.Contexts) == 0 {
			req.Flags &^= s6a.PDNContextsWithdrawn
		}

		if req.Flags == 0 {
			return errOutdated
		}

		return nil
	})
	if err != nil {
		return diameter.Result{}, err
	}

	answer, err := diameter.Call[s6a.DSA](ctx, s.node, req)

	switch {
	case err != nil:
		return diameter.Result{}, fmt.Errorf("DSR to %s: %w", push.ServerHost, err)
	case answer.Result == diameter.CommandUnsupported:
		return s.insertSubscriberData(ctx, push)
	default:
		return answer.Result, nil
	}
}

// reset sends an RSR (TS 29.272 §5.2.4): the MME updates the location of each SIM when it next hears of it.
func (s *Sender) reset(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	answer, err := diameter.Call[s6a.RSA](ctx, s.node, &s6a.RSR{RequestHeader: to(push)})
	if err != nil {
		return diameter.Result{}, fmt.Errorf("RSR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}
