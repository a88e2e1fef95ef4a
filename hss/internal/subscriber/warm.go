package subscriber

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gorm.io/gorm"
)

// warm runs the statements of Cx once outside any transaction. gorm prepares a statement that it first meets inside a
// transaction anew in every other one, which costs more than running it; those that it first meets outside it keeps.
func (s *Store) warm(ctx context.Context) error {
	const nobody = math.MaxInt64

	for _, db := range []*gorm.DB{s.read, s.write} {
		tx := &Tx{store: s, db: db.WithContext(ctx), update: db == s.write}
		p := &PrivateIdentity{ID: nobody}
		set := &RegistrationSet{ID: nobody, Public: []*PublicIdentity{{ProfileID: nobody}}, changed: true,
			Registrations: []*Registration{{PrivateID: nobody, SetID: nobody, Private: p, changed: true}}}
		subscription := &Subscription{ID: nobody, Sets: []*RegistrationSet{set}, moved: true}

		if _, err := tx.Identities("-", "-"); err != nil {
			return fmt.Errorf("subscriber database: %w", err)
		}

		if _, err := tx.Subscription(nobody); !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("subscriber database: %w", err)
		}

		if err := tx.Profiles(subscription); err != nil {
			return fmt.Errorf("subscriber database: %w", err)
		}

		if !tx.update {
			continue
		}

		if _, err := tx.NextSQN(p, 1); !errors.Is(err, ErrSQNExhausted) {
			return fmt.Errorf("subscriber database: %w", err)
		}

		if err := tx.SaveRegistration(subscription); err != nil {
			return fmt.Errorf("subscriber database: %w", err)
		}
	}

	return nil
}
