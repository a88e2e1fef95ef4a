package cx

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

type featuring interface{ Features() []SupportedFeatures }

type announcing interface{ Announce([]SupportedFeatures) }

// Handle makes a node serve a command with our features of list 1. A request that requires another feature is refused before anything
// else; every other one is answered with the features that both sides have (TS 29.229 §7.2).
func Handle[Q, A any, PQ interface {
	diameter.Typed[Q]
	featuring
}, PA interface {
	diameter.Typed[A]
	announcing
}](n *diameter.Node, ours uint32, serve func(context.Context, *Q) (*A, error)) {
	diameter.Handle[Q, A, PQ, PA](n, func(ctx context.Context, req *Q) (*A, error) {
		offered := PQ(req).Features()
		if err := CheckFeatures(offered, ours); err != nil {
			return nil, err
		}

		answer, err := serve(ctx, req)
		if err != nil {
			return nil, err
		}

		PA(answer).Announce(CommonFeatures(offered, ours))

		return answer, nil
	})
}
