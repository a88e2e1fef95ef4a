package administration

import (
	"slices"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Change is a change of a subscription by the operator, with what S-CSCF and MMEs hold before it.
type Change struct {
	charging subscriber.ChargingInformation
	sets     map[int][]subscriber.PublicIdentity
	sims     map[string]sim // by private identity
}

// Before records what S-CSCF and MMEs may hold of a subscription that is about to be changed.
func Before(s *subscriber.Subscription) Change {
	c := Change{charging: s.Charging, sets: map[int][]subscriber.PublicIdentity{}, sims: map[string]sim{}}
	for _, set := range s.Sets {
		c.sets[set.Number] = shown(set)
	}

	for _, p := range s.Private {
		c.sims[p.Identity] = simOf(p)
	}

	return c
}

// Withdraw ends the registrations and locations of the sets and private identities that are about to be deleted (RTR, TS 29.228 §6.1.3;
// CLR, TS 29.272 §5.2.1.2). They still exist. sets and privates are those that stay.
func Withdraw(tx *subscriber.Tx, s *subscriber.Subscription, sets []int, privates []string) error {
	for _, set := range s.Sets {
		if !slices.Contains(sets, set.Number) {
			if _, err := terminateSet(tx, s, set, cx.PermanentTermination, "the identities are withdrawn"); err != nil {
				return err
			}
		}
	}

	for _, p := range s.Private {
		if !slices.Contains(privates, p.Identity) {
			if _, err := terminatePrivate(tx, s, p, cx.PermanentTermination, "the private identity is withdrawn"); err != nil {
				return err
			}

			if err := withdrawSIM(tx, s, p); err != nil {
				return err
			}
		}
	}

	return nil
}

// Made queues the profiles that the S-CSCF must learn of (PPR, TS 29.228 §6.2.2), after changes of names, identities, services or charging,
// not of keys; and the changes for MMEs.
func (c Change) Made(tx *subscriber.Tx, s *subscriber.Subscription) error {
	if err := c.insertSubscriberData(tx, s); err != nil {
		return err
	}

	if err := c.pushToAAA(tx, s); err != nil {
		return err
	}

	return pushProfile(tx, s, func(set *subscriber.RegistrationSet) bool {
		return s.Charging != c.charging || !slices.Equal(shown(set), c.sets[set.Number])
	})
}

// shown returns what an S-CSCF sees of a set: without its keys in the database.
func shown(set *subscriber.RegistrationSet) []subscriber.PublicIdentity {
	all := make([]subscriber.PublicIdentity, len(set.Public))

	for i, p := range set.Public {
		all[i] = *p
		all[i].ID, all[i].SubscriptionID, all[i].SetID, all[i].Position, all[i].Profile = 0, 0, 0, 0, nil
	}

	return all
}
