package cx

import (
	"fmt"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// Features of feature list 1 (TS 29.229 §7.1.1).
const (
	FeatureSharedSets  uint32 = 1 << 0 // SiFC: the S-CSCF holds shared iFC sets itself
	FeatureAliases     uint32 = 1 << 1 // AliasInd: identities that are aliases of each other are told
	FeatureRestoration uint32 = 1 << 2 // IMSRestorationInd: the HSS keeps what a restarted S-CSCF needs (TS 23.380)
)

const featureList = 1

// CheckFeatures refuses a request that must be served with a feature that is not among ours (TS 29.229 §6.2.2, §7.2): an
// AVP without the M bit only informs.
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
				Further: []*diam.AVP{all(ours)},
			}
		}
	}

	return nil
}

// Has tells whether the sender says that it has a feature of list 1.
func Has(offered []SupportedFeatures, feature uint32) bool {
	for _, f := range offered {
		if f.VendorID == VendorID && f.FeatureListID == featureList && f.FeatureList&feature != 0 {
			return true
		}
	}

	return false
}

// CommonFeatures are those of the offered ones that we have, too. Whoever offers none, as Release 5 did, is told of none.
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

// all is the AVP that lists every feature of ours.
func all(ours uint32) *diam.AVP {
	const code, list, features = 628, 629, 630

	return diam.NewAVP(code, avp.Vbit, VendorID, &diam.GroupedAVP{AVP: []*diam.AVP{
		diam.NewAVP(avp.VendorID, avp.Mbit, 0, datatype.Unsigned32(VendorID)),
		diam.NewAVP(list, avp.Vbit, VendorID, datatype.Unsigned32(featureList)),
		diam.NewAVP(features, avp.Vbit, VendorID, datatype.Unsigned32(ours)),
	}})
}
