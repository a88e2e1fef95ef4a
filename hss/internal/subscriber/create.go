package subscriber

import (
	"errors"
	"fmt"
)

// createdAtOnce is the number of rows in one statement: databases take some 30,000 values in one.
const createdAtOnce = 500

// Create saves new subscriptions, table by table. ErrTaken is returned if a name or an identity of one of them is already used, or occurs
// twice; Save tells which.
func (t *Tx) Create(all []*Subscription) error {
	t.provisioned = true

	if err := t.newIMSIs(all); err != nil {
		return err
	}

	if err := t.create(all); err != nil {
		if duplicate(err) {
			err = errors.Join(ErrTaken, err)
		}

		return fmt.Errorf("%d subscribers: %w", len(all), err)
	}

	return nil
}

// Known returns those of the names that are a private identity or an IMSI. There may be some 1,000 names.
func (t *Tx) Known(names []string) (map[string]bool, error) {
	var found []struct{ Identity, IMSI string }

	err := t.db.Model(&PrivateIdentity{}).Select("identity", "imsi").
		Where("identity IN ?", names).Or("imsi IN ? AND imsi <> ''", names).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("private identities: %w", err)
	}

	known := map[string]bool{}

	for _, f := range found {
		known[f.Identity] = true
		if f.IMSI != "" {
			known[f.IMSI] = true
		}
	}

	return known, nil
}

// newIMSIs returns an error unless each IMSI is unique, which the tables do not enforce.
func (t *Tx) newIMSIs(all []*Subscription) error {
	var imsis []string

	seen := map[string]bool{}

	for _, s := range all {
		for _, p := range s.Private {
			if p.IMSI == "" {
				continue
			}

			if seen[p.IMSI] {
				return fmt.Errorf("IMSI %s: %w", p.IMSI, ErrTaken)
			}

			seen[p.IMSI] = true
			imsis = append(imsis, p.IMSI)
		}
	}

	for len(imsis) > 0 {
		some := imsis[:min(len(imsis), createdAtOnce)]
		imsis = imsis[len(some):]

		var found int64
		if err := t.db.Model(&PrivateIdentity{}).Where("imsi IN ?", some).Count(&found).Error; err != nil {
			return fmt.Errorf("%d subscribers: %w", len(all), err)
		}

		if found > 0 {
			return fmt.Errorf("%d IMSIs: %w", found, ErrTaken)
		}
	}

	return nil
}

func (t *Tx) create(all []*Subscription) error {
	if err := t.db.CreateInBatches(all, createdAtOnce).Error; err != nil {
		return err
	}

	var (
		private       []*PrivateIdentity
		sets          []*RegistrationSet
		public        []*PublicIdentity
		registrations []*Registration
	)

	for _, s := range all {
		for _, p := range s.Private {
			p.SubscriptionID = s.ID
			private = append(private, p)
		}

		for _, set := range s.Sets {
			set.SubscriptionID = s.ID
			sets = append(sets, set)
		}
	}

	if len(private) > 0 {
		if err := t.db.CreateInBatches(private, createdAtOnce).Error; err != nil {
			return err
		}
	}

	if err := t.db.CreateInBatches(sets, createdAtOnce).Error; err != nil {
		return err
	}

	for _, set := range sets {
		for i, p := range set.Public {
			p.SubscriptionID, p.SetID, p.Position = set.SubscriptionID, set.ID, i
			public = append(public, p)
		}

		for _, r := range set.Registrations {
			r.SetID, r.PrivateID = set.ID, r.Private.ID
			registrations = append(registrations, r)
		}
	}

	if err := t.db.CreateInBatches(public, createdAtOnce).Error; err != nil || len(registrations) == 0 {
		return err
	}

	return t.db.CreateInBatches(registrations, createdAtOnce).Error
}
