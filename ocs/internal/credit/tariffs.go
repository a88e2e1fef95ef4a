package credit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// StoredTariff is one version of a price list. Versions are immutable: a session keeps the one that it began with.
type StoredTariff struct {
	Name    string    `gorm:"primaryKey"                     json:"name"`
	Version uint32    `gorm:"primaryKey;autoIncrement:false" json:"version"`
	Rates   string    `                                      json:"-"`
	Terms   string    `                                      json:"-"` // the plan without its rates
	Created time.Time `                                      json:"created"`
}

// TableName returns a name that differs from the table of an earlier OCS.
func (StoredTariff) TableName() string { return "tariff_versions" }

// Publish makes the next version of a tariff, for all that begins from now on. If it equals the version in force, nothing changes.
func Publish(ctx context.Context, store *ledger.Store, t *rating.Tariff) error {
	rates, err := json.Marshal(t.Rates)
	if err != nil {
		return err
	}

	terms, err := json.Marshal(termsOf(t))
	if err != nil {
		return err
	}

	return store.Update(ctx, func(tx ledger.Tx) error {
		stored := new(StoredTariff)

		switch err := tx.Where("name = ?", t.Name).Order("version DESC").Take(stored).Error; {
		case errors.Is(err, gorm.ErrRecordNotFound):
		case err != nil:
			return err
		case stored.Rates == string(rates) && stored.terms() == string(terms):
			t.Version = stored.Version
			return nil
		}

		t.Version = stored.Version + 1

		return tx.Create(
			&StoredTariff{Name: t.Name, Version: t.Version, Rates: string(rates), Terms: string(terms), Created: tx.Now()},
		).Error
	})
}

// tariffs caches price lists: a version never changes.
type tariffs struct {
	mu   sync.Mutex
	read map[tariffKey]*rating.Plan
}

type tariffKey struct {
	name    string
	version uint32
}

const maxTariffs = 64 // cached

// current returns the version of a tariff that is in force; gorm.ErrRecordNotFound if there is no such tariff.
func (t *tariffs) current(db *gorm.DB, name string) (*rating.Plan, error) {
	stored := new(StoredTariff)
	if err := db.Select("version").Where("name = ?", name).Order("version DESC").Take(stored).Error; err != nil {
		return nil, err
	}

	return t.version(db, name, stored.Version)
}

// version returns one version of a tariff.
func (t *tariffs) version(db *gorm.DB, name string, version uint32) (*rating.Plan, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	key := tariffKey{name, version}
	if known := t.read[key]; known != nil {
		return known, nil
	}

	stored := new(StoredTariff)
	if err := db.Where("name = ? AND version = ?", name, version).Take(stored).Error; err != nil {
		return nil, err
	}

	tariff, err := stored.Tariff()
	if err != nil {
		return nil, err
	}

	plan, err := rating.Compile(tariff)
	if err != nil {
		return nil, fmt.Errorf("tariff %s, version %d: %w", name, version, err)
	}

	if t.read == nil || len(t.read) >= maxTariffs {
		t.read = map[tariffKey]*rating.Plan{}
	}

	t.read[key] = plan

	return plan, nil
}

// Tariff returns the stored tariff.
func (s *StoredTariff) Tariff() (*rating.Tariff, error) {
	t := &rating.Tariff{Name: s.Name, Version: s.Version}
	if err := json.Unmarshal([]byte(s.Rates), &t.Rates); err != nil {
		return nil, fmt.Errorf("tariff %s, version %d: %w", s.Name, s.Version, err)
	}

	terms := planTerms{Tariff: t}
	if err := json.Unmarshal([]byte(s.terms()), &terms); err != nil {
		return nil, fmt.Errorf("tariff %s, version %d: %w", s.Name, s.Version, err)
	}

	return t, nil
}

// planTerms is all of a plan but its rates, which are stored beside it.
type planTerms struct {
	*rating.Tariff
	Name    string `json:"name,omitempty"`
	Version uint32 `json:"version,omitempty"`
	Rates   *int   `json:"rates,omitempty"` // hides those of the plan
}

func termsOf(t *rating.Tariff) planTerms { return planTerms{Tariff: t} }

// terms returns the stored terms; an earlier OCS stored none.
func (s *StoredTariff) terms() string { return cmp.Or(s.Terms, "{}") }
