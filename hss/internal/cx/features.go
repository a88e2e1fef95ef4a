package cx

import "github.com/dialtone-ims/dialtone/pkg/diameter/cx"

// sharedSetsFeature is SiFC, bit 0 of feature list 1 of Cx (TS 29.229 §7.1.1): the S-CSCF holds shared iFC sets itself.
const sharedSetsFeature = 1 << 0

const featureList = 1

func knowsSharedSets(offered []cx.SupportedFeatures) bool {
	for _, f := range offered {
		if f.VendorID == cx.VendorID && f.FeatureListID == featureList && f.FeatureList&sharedSetsFeature != 0 {
			return true
		}
	}

	return false
}

// commonFeatures answers with those of the offered features that this HSS has too (TS 29.229 §7.2.1).
func commonFeatures(offered []cx.SupportedFeatures) []cx.SupportedFeatures {
	if len(offered) == 0 {
		return nil
	}

	common := cx.SupportedFeatures{VendorID: cx.VendorID, FeatureListID: featureList}
	if knowsSharedSets(offered) {
		common.FeatureList = sharedSetsFeature
	}

	return []cx.SupportedFeatures{common}
}
