package push

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

func (s *Sender) terminate(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	req := &cx.RTR{
		UserName: push.PrivateIdentity, PublicIdentities: push.PublicIdentities,
		Reason: cx.DeregistrationReason{Code: cx.ReasonCode(push.Reason), Info: push.Info},
	}
	req.DestinationHost = push.ServerHost

	if len(push.OtherIdentities) > 0 {
		req.AssociatedIdentities = &cx.AssociatedIdentities{UserNames: push.OtherIdentities}
	}

	answer, err := diameter.Call[cx.RTA](ctx, s.node, req)
	if err != nil {
		return diameter.Result{}, fmt.Errorf("RTR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}
