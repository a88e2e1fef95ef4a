package subscriber

import (
	"fmt"
)

// RepositoryData is data that application servers keep with a public identity (TS 29.328 §7.6.1). The HSS does not know what it means.
type RepositoryData struct {
	ID             uint64 `gorm:"primaryKey"`
	SubscriptionID uint64 `gorm:"index;not null"`
	Owner          string `gorm:"uniqueIndex:repository;not null"` // RegistrationSet.Owner of the identity
	Service        string `gorm:"uniqueIndex:repository;not null"` // Service-Indication
	Sequence       int
	Data           []byte // the ServiceData element, XML
}

// TableName returns the table's name, which has no plural.
func (RepositoryData) TableName() string { return "repository_data" }

// Owner returns under which name the data of an identity of the set is kept: aliases of each other share theirs (TS 29.328 table 7.6.1
// note 3), and the identities for which a wildcarded one stands, too.
func (s *RegistrationSet) Owner(p *PublicIdentity) string {
	if p.AliasGroup != "" {
		return fmt.Sprintf("alias %s of set %d", p.AliasGroup, s.ID)
	}

	return p.Identity
}

// Repository returns the data of a service for an owner, or nil.
func (t *Tx) Repository(owner, service string) (*RepositoryData, error) {
	var found []*RepositoryData
	if err := t.db.Where("owner = ? AND service = ?", owner, service).Limit(1).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("repository data of %s: %w", owner, err)
	}

	if len(found) == 0 {
		return nil, nil
	}

	return found[0], nil
}

// CountRepository returns for how many services an owner has data.
func (t *Tx) CountRepository(owner string) (count int64, err error) {
	if err := t.db.Model(&RepositoryData{}).Where("owner = ?", owner).Count(&count).Error; err != nil {
		return 0, fmt.Errorf("repository data of %s: %w", owner, err)
	}

	return count, nil
}

// SaveRepository stores data of a service.
func (t *Tx) SaveRepository(r *RepositoryData) error {
	if err := t.db.Save(r).Error; err != nil {
		return fmt.Errorf("repository data of %s: %w", r.Owner, err)
	}

	return nil
}

// DeleteRepository removes data of a service.
func (t *Tx) DeleteRepository(r *RepositoryData) error {
	if err := t.db.Delete(r).Error; err != nil {
		return fmt.Errorf("repository data of %s: %w", r.Owner, err)
	}

	return nil
}

// pruneRepository removes the data of identities that a subscription does not have any more.
func (t *Tx) pruneRepository(s *Subscription) error {
	owners := []string{""}

	for _, set := range s.Sets {
		for _, p := range set.Public {
			owners = append(owners, set.Owner(p))
		}
	}

	err := t.db.Where("subscription_id = ? AND owner NOT IN ?", s.ID, owners).Delete(&RepositoryData{}).Error
	if err != nil {
		return fmt.Errorf("repository data of %s: %w", s.Name, err)
	}

	return nil
}
