package cx

import (
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// Features of feature list 1 (TS 29.229 §7.1.1).
const (
	FeatureSharedSets  uint32 = 1 << 0 // SiFC: the S-CSCF itself holds shared iFC sets
	FeatureAliases     uint32 = 1 << 1 // AliasInd: the answer says which identities are aliases of each other
	FeatureRestoration uint32 = 1 << 2 // IMSRestorationInd: the HSS keeps what a restarted S-CSCF needs (TS 23.380)
)

const featureList = 1

// supported is the part of a refusal for want of a feature that lists all features there are (TS 29.229 §7.2.1).
type supported struct {
	Features []SupportedFeatures `avp:"Supported-Features"`
}

// CheckFeatures refuses a request that requires a feature that is not among ours (TS 29.229 §6.2.2, §7.2): an AVP without the M bit only
// informs.
func CheckFeatures(asked []SupportedFeatures, ours uint32) error {
	for _, f := range asked {
		missing := f.FeatureList
		if f.VendorID == VendorID && f.FeatureListID == featureList {
			missing &^= ours
		}

		if f.Mandatory && missing != 0 {
			return &diameter.Error{
				Result:  ErrorFeatureUnsupported,
				Message: fmt.Sprintf("feature list %d of vendor %d: bits %#x are not supported", f.FeatureListID, f.VendorID, missing),
				Further: &supported{[]SupportedFeatures{{VendorID: VendorID, FeatureListID: featureList, FeatureList: ours}}},
			}
		}
	}

	return nil
}

// Has reports whether the sender has a feature of list 1.
func Has(offered []SupportedFeatures, feature uint32) bool {
	for _, f := range offered {
		if f.VendorID == VendorID && f.FeatureListID == featureList && f.FeatureList&feature != 0 {
			return true
		}
	}

	return false
}

// CommonFeatures returns the offered features that we have too. A sender that offers none, as in Release 5, is told of none.
func CommonFeatures(offered []SupportedFeatures, ours uint32) []SupportedFeatures {
	if len(offered) == 0 {
		return nil
	}

	common := SupportedFeatures{VendorID: VendorID, FeatureListID: featureList}

	for _, f := range offered {
		if f.VendorID == VendorID && f.FeatureListID == featureList {
			common.FeatureList |= f.FeatureList & ours
		}
	}

	return []SupportedFeatures{common}
}
