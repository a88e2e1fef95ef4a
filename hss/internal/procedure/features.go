package procedure

import "github.com/dialtone-ims/dialtone/pkg/diameter/cx"

// Features of this HSS.
const Features = cx.FeatureSharedSets | cx.FeatureAliases | cx.FeatureRestoration

// common are the features of list 1 that both have, as bits.
func common(offered []cx.SupportedFeatures) (bits uint32) {
	for _, f := range cx.CommonFeatures(offered, Features) {
		bits |= f.FeatureList
	}

	return bits
}
