package userdata

import (
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Of returns the current profile of a set.
func Of(
	tx *subscriber.Tx,
	s *subscriber.Subscription,
	p *subscriber.PrivateIdentity,
	set *subscriber.RegistrationSet,
	asked string,
) ([]byte, error) {
	if err := tx.Profiles(s); err != nil {
		return nil, err
	}

	var numbers []int
	for _, public := range set.Public {
		if public.Profile != nil {
			numbers = append(numbers, public.Profile.SharedSets...)
		}
	}

	shared, err := tx.SharedSets(numbers)
	if err != nil {
		return nil, err
	}

	private := ""
	if p != nil {
		private = p.Identity
	}

	return document(private, set, asked, shared, s.Features)
}

// ChargingInformation returns nil if the S-CSCF's own configuration applies.
func ChargingInformation(s *subscriber.Subscription) *cx.ChargingInformation {
	if s.Charging == (subscriber.ChargingInformation{}) {
		return nil
	}

	return &cx.ChargingInformation{
		PrimaryEventChargingFunction:        s.Charging.PrimaryEventChargingFunction,
		SecondaryEventChargingFunction:      s.Charging.SecondaryEventChargingFunction,
		PrimaryChargingCollectionFunction:   s.Charging.PrimaryChargingCollectionFunction,
		SecondaryChargingCollectionFunction: s.Charging.SecondaryChargingCollectionFunction,
	}
}
