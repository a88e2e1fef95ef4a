package procedure

import (
	"encoding/json"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// storeRestoration stores what an S-CSCF needs to restore a registration that it loses (TS 29.228 §6.1.2, TS 23.380 §4.2). It comes with a
// registration, replaces what was stored before, and is deleted with the registration.
func storeRestoration(who identities, req *cx.SAR) error {
	kept := req.Type == cx.AssignRegistration || req.Type == cx.ReRegistration
	if req.RestorationInfo == nil || !kept || !cx.Has(req.SupportedFeatures, cx.FeatureRestoration) {
		return nil
	}

	information, err := json.Marshal(req.RestorationInfo)
	if err != nil {
		return fmt.Errorf("restoration information: %w", err)
	}

	who.Set.Restore(who.Private, information)

	return nil
}

// restoration returns the stored information, if the S-CSCF supports restoration.
func restoration(a assignment, req *cx.SAR) ([]cx.SCSCFRestorationInfo, error) {
	if !cx.Has(req.SupportedFeatures, cx.FeatureRestoration) {
		return nil, nil
	}

	var all []cx.SCSCFRestorationInfo

	for _, r := range a.Restored {
		if !r.Registered || len(r.Restoration) == 0 {
			continue
		}

		var one cx.SCSCFRestorationInfo
		if err := json.Unmarshal(r.Restoration, &one); err != nil {
			return nil, fmt.Errorf("restoration information of %s: %w", r.Private.Identity, err)
		}

		all = append(all, one)
	}

	return all, nil
}
