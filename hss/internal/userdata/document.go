// Package userdata writes the service profile that the HSS downloads to the S-CSCF (TS 29.228 annex B, annex E).
package userdata

import (
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// shared is the shared iFC sets by number.
type shared map[int]*subscriber.SharedFilterCriteria

// document returns the User-Data of one implicit registration set: a ServiceProfile for each profile that its identities have.
// asked is the identity that the S-CSCF asked about; it replaces the wildcard that it matches. The content depends on the S-CSCF's
// features: with shared iFC sets it gets their numbers, without them their criteria; with aliases, their groups.
func document(private string, set *subscriber.RegistrationSet, asked string, shared shared, features uint32) ([]byte, error) {
	knowsShared := features&cx.FeatureSharedSets != 0
	document := ifc.Subscription{PrivateID: private}

	for _, id := range order(set) {
		var profile ifc.ServiceProfile

		for _, p := range set.Public {
			if p.ProfileID != id {
				continue
			}

			profile.PublicIdentities = append(profile.PublicIdentities, identity(p, asked, features))

			if len(profile.PublicIdentities) == 1 && p.Profile != nil {
				if err := services(&profile, p.Profile, shared, knowsShared); err != nil {
					return nil, fmt.Errorf("service profile %s: %w", p.Profile.Name, err)
				}
			}
		}

		document.ServiceProfiles = append(document.ServiceProfiles, profile)
	}

	return document.Marshal()
}

// order returns the profiles of a set, that of the default identity first, so that the default is the first identity of the document that
// is not barred.
func order(set *subscriber.RegistrationSet) []uint64 {
	var ids []uint64

	if i := slices.IndexFunc(set.Public, func(p *subscriber.PublicIdentity) bool { return !p.Barred }); i >= 0 {
		ids = append(ids, set.Public[i].ProfileID)
	}

	for _, p := range set.Public {
		if !slices.Contains(ids, p.ProfileID) {
			ids = append(ids, p.ProfileID)
		}
	}

	return ids
}

func identity(p *subscriber.PublicIdentity, asked string, features uint32) ifc.PublicIdentity {
	element := ifc.PublicIdentity{Identity: p.Identity, Extension: &ifc.IdentityExtension{DisplayName: p.DisplayName}}
	if p.Barred {
		element.BarringIndication = 1
	}

	if features&cx.FeatureAliases != 0 {
		element.Extension.AliasIdentityGroup = p.AliasGroup
	}

	if p.Wildcard && p.Matches(asked) {
		element.Identity = asked
	}

	switch {
	case p.Kind == subscriber.Service && p.Wildcard:
		element.Extension.IdentityType, element.Extension.WildcardedPSI = ifc.WildcardedPSI, p.Identity
	case p.Kind == subscriber.Service:
		element.Extension.IdentityType = ifc.DistinctPSI
	case p.Wildcard:
		element.Extension.IdentityType, element.Extension.WildcardedIdentity = ifc.WildcardedPublicUserIdentity, p.Identity
	default:
		element.Extension.IdentityType = ifc.PublicUserIdentity
	}

	return element
}

func services(to *ifc.ServiceProfile, p *subscriber.ServiceProfile, shared shared, knowsShared bool) error {
	if p.SubscribedMediaProfile != nil {
		to.CoreNetworkServices = &ifc.CoreNetworkServices{SubscribedMediaProfileID: p.SubscribedMediaProfile}
	}

	var err error
	if to.InitialFilterCriteria, _, err = ifc.ParseCriteria([]byte(p.FilterCriteria)); err != nil {
		return err
	}

	if knowsShared {
		if len(p.SharedSets) > 0 {
			to.Extension = &ifc.ProfileExtension{SharedIFCSetIDs: p.SharedSets}
		}

		return nil
	}

	for _, number := range p.SharedSets {
		set := shared[number]
		if set == nil {
			return fmt.Errorf("shared iFC set %d is not defined, and the S-CSCF does not know shared sets", number)
		}

		more, _, err := ifc.ParseCriteria([]byte(set.FilterCriteria))
		if err != nil {
			return fmt.Errorf("shared iFC set %d: %w", number, err)
		}

		to.InitialFilterCriteria = append(to.InitialFilterCriteria, more...)
	}

	return nil
}
