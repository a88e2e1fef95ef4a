package provisioning

import (
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

func applySets(tx *subscriber.Tx, s *subscriber.Subscription, documents []RegistrationSet) error {
	var (
		all      []*subscriber.RegistrationSet
		seen     = map[string]bool{}
		profiles = map[string]*subscriber.ServiceProfile{}
	)

	existing := map[string]*subscriber.PublicIdentity{}
	for _, set := range s.Sets {
		for _, p := range set.Public {
			existing[p.Identity] = p
		}
	}

	for i, d := range documents {
		at := fmt.Sprintf("registration_sets[%d]", i)

		switch {
		case d.Number < 1 || d.Number > 1<<16:
			return problem(at+".number", "%d is not 1 to 65536", d.Number)
		case slices.ContainsFunc(all, func(set *subscriber.RegistrationSet) bool { return set.Number == d.Number }):
			return problem(at+".number", "%d stands twice", d.Number)
		case len(d.PublicIdentities) == 0 || len(d.PublicIdentities) > maxPublic:
			return problem(at+".public_identities", "there must be 1 to %d, not %d", maxPublic, len(d.PublicIdentities))
		}

		set := s.SetNumbered(d.Number)
		if set == nil {
			set = &subscriber.RegistrationSet{Number: d.Number}
		}

		set.Public, set.LooseRoute = nil, d.LooseRoute

		for j, public := range d.PublicIdentities {
			at := fmt.Sprintf("%s.public_identities[%d]", at, j)

			p, err := applyPublic(tx, existing[public.Identity], public, profiles)
			if err != nil {
				return prefixed(at, err)
			}

			if seen[p.Identity] {
				return problem(at+".identity", "%s stands twice", p.Identity)
			}

			seen[p.Identity] = true
			set.Public = append(set.Public, p)
		}

		if err := aliases(set, at); err != nil {
			return err
		}

		all = append(all, set)
	}

	s.Sets = all

	return nil
}

// aliases returns an error for identities that cannot be each other's aliases: aliases have the same services (TS 29.228 annex B.2.1).
func aliases(set *subscriber.RegistrationSet, at string) error {
	profiles := map[string]uint64{}

	for j, p := range set.Public {
		if p.AliasGroup == "" {
			continue
		}

		if profile, found := profiles[p.AliasGroup]; found && profile != p.ProfileID {
			return problem(fmt.Sprintf("%s.public_identities[%d].alias_group", at, j), "aliases have the same service profile")
		}

		profiles[p.AliasGroup] = p.ProfileID
	}

	return nil
}

// associate lets each private identity use its sets, keeping the state of existing pairs.
func associate(s *subscriber.Subscription, documents []PrivateIdentity) error {
	for i, d := range documents {
		for _, number := range d.RegistrationSets {
			if s.SetNumbered(number) == nil {
				return problem(fmt.Sprintf("private_identities[%d].registration_sets", i), "there is no set %d", number)
			}
		}
	}

	for _, set := range s.Sets {
		var kept []*subscriber.Registration

		for i, d := range documents {
			if len(d.RegistrationSets) > 0 && !slices.Contains(d.RegistrationSets, set.Number) {
				continue
			}

			r := set.Registration(s.Private[i])
			if r == nil {
				r = &subscriber.Registration{Private: s.Private[i]}
			}

			kept = append(kept, r)
		}

		set.Registrations = kept
	}

	return nil
}
