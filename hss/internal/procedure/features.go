package procedure

import "github.com/dialtone-ims/dialtone/pkg/diameter/cx"

// features are the features of this HSS.
const features = cx.FeatureSharedSets | cx.FeatureAliases | cx.FeatureRestoration

// common returns the features of list 1 that both sides support, as bits.
func common(offered []cx.SupportedFeatures) (bits uint32) {
	for _, f := range cx.CommonFeatures(offered, features) {
		bits |= f.FeatureList
	}

	return bits
}
