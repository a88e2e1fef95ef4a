package provisioning

import (
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

// Limits of one subscription: enough for a busy lab, small enough for one Diameter message.
const (
	maxPrivate = 16
	maxSets    = 16
	maxPublic  = 64
	maxText    = 255
)

// apply changes the subscription to what the document says. Whatever the document does not name is deleted; secrets that it omits are kept.
func apply(tx *subscriber.Tx, s *subscriber.Subscription, d Subscriber) error {
	switch {
	case d.Name == "" || len(d.Name) > maxText || strings.ContainsAny(d.Name, "/?#\x00"):
		return problem("name", "%q is no name: up to %d characters without / ? #", d.Name, maxText)
	case len(d.PrivateIdentities) == 0 && !onlyServices(d):
		return problem("private_identities", "at least one is needed, except for services")
	case len(d.PrivateIdentities) > maxPrivate:
		return problem("private_identities", "%d are more than %d", len(d.PrivateIdentities), maxPrivate)
	case len(d.RegistrationSets) == 0 || len(d.RegistrationSets) > maxSets:
		return problem("registration_sets", "there must be 1 to %d, not %d", maxSets, len(d.RegistrationSets))
	}

	s.Name, s.Capabilities, s.Charging = d.Name, subscriber.Capabilities{}, subscriber.ChargingInformation{}
	if c := d.Capabilities; c != nil {
		s.Capabilities = subscriber.Capabilities{Mandatory: c.Mandatory, Optional: c.Optional, ServerNames: c.ServerNames}
	}

	if c := d.Charging; c != nil {
		s.Charging = subscriber.ChargingInformation{
			PrimaryEventChargingFunction: c.PrimaryEvent, SecondaryEventChargingFunction: c.SecondaryEvent,
			PrimaryChargingCollectionFunction: c.PrimaryCollection, SecondaryChargingCollectionFunction: c.SecondaryCollection,
		}
	}

	if err := applyPrivate(tx, s, d.PrivateIdentities); err != nil {
		return err
	}

	if err := applySets(tx, s, d.RegistrationSets); err != nil {
		return err
	}

	return associate(s, d.PrivateIdentities)
}

func onlyServices(d Subscriber) bool {
	return !slices.ContainsFunc(d.RegistrationSets, func(set RegistrationSet) bool {
		return slices.ContainsFunc(set.PublicIdentities, func(p PublicIdentity) bool { return kindOf(p) != subscriber.Service })
	})
}
