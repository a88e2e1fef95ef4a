package cx

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Features of this HSS.
const Features = cx.FeatureSharedSets | cx.FeatureAliases | cx.FeatureRestoration

type featuring interface{ Features() []cx.SupportedFeatures }

type announcing interface{ Announce([]cx.SupportedFeatures) }

// handle serves a command. A request that has to be served with a feature that this HSS does not have is refused before
// anything else; every other one is answered with the features that both have (TS 29.229 §7.2).
func handle[Q, A any, PQ interface {
	diameter.Typed[Q]
	featuring
}, PA interface {
	diameter.Typed[A]
	announcing
}](n *diameter.Node, serve func(context.Context, *Q) (*A, error)) {
	diameter.Handle[Q, A, PQ, PA](n, func(ctx context.Context, req *Q) (*A, error) {
		offered := PQ(req).Features()
		if err := cx.CheckFeatures(offered, Features); err != nil {
			return nil, err
		}

		answer, err := serve(ctx, req)
		if err != nil {
			return nil, err
		}

		PA(answer).Announce(cx.CommonFeatures(offered, Features))

		return answer, nil
	})
}

// common are the features of list 1 that both have, as bits.
func common(offered []cx.SupportedFeatures) (bits uint32) {
	for _, f := range cx.CommonFeatures(offered, Features) {
		bits |= f.FeatureList
	}

	return bits
}
