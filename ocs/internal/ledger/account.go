package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// Purse is a subscriber's money: what is available, and what is reserved.
type Purse struct{ Account, Reserved *Account }

// Purse returns a subscriber's accounts. In a group it is the same each time, with all that was moved so far.
func (tx Tx) Purse(name string) (Purse, error) {
	if !tx.about.gathers {
		clear(tx.about.purses)
	}

	if err := tx.fetch([]string{name}); err != nil {
		return Purse{}, err
	}

	p, found := tx.about.purses[name]
	if !found {
		return p, fmt.Errorf("%w: %s", ErrUnknown, name)
	}

	return p, nil
}

// Payer returns the purse of the first of these identities that has one.
func (tx Tx) Payer(uris []string) (Purse, error) {
	if err := tx.identified(uris); err != nil {
		return Purse{}, err
	}

	for _, uri := range uris {
		if name, found := tx.about.payers[uri]; found {
			return tx.Purse(name)
		}
	}

	return Purse{}, fmt.Errorf("%w: %s", ErrUnknown, strings.Join(uris, ", "))
}

// Add makes a subscriber's account with its identities and initial amount.
func (s *Store) Add(ctx context.Context, name, tariff string, identities []string, amount int64) error {
	return s.change(ctx, name, func(tx Tx) error {
		var n int64
		if err := tx.Model(&Account{}).Where("name = ?", name).Count(&n).Error; err != nil {
			return err
		}

		if n > 0 {
			return fmt.Errorf("account %s: %w", name, ErrExists)
		}

		now := s.Now()
		if err := tx.Create([]*Account{
			{Name: name, Kind: Subscriber, Tariff: tariff, Created: now}, {Name: name, Kind: Reserved, Created: now},
		}).Error; err != nil {
			return err
		}

		if err := tx.identify(name, identities); err != nil {
			return err
		}

		if amount == 0 {
			return nil
		}

		return tx.topUp(name, amount, "first money", "")
	})
}

// identify replaces the identities of an account.
func (tx Tx) identify(name string, identities []string) error {
	if err := tx.Where("account = ?", name).Delete(&Identity{}).Error; err != nil {
		return err
	}

	for _, uri := range identities {
		taken := new(Identity)

		switch err := tx.Where("uri = ?", uri).Take(taken).Error; {
		case err == nil && taken.Account == name: // named twice
			continue
		case err == nil:
			return fmt.Errorf("identity %s: %w, of account %s", uri, ErrExists, taken.Account)
		case !errors.Is(err, gorm.ErrRecordNotFound):
			return err
		}

		if err := tx.Create(&Identity{URI: uri, Account: name}).Error; err != nil {
			return err
		}
	}

	return nil
}

// Change is a change of an account; nil leaves a field.
type Change struct {
	Tariff     *string
	Blocked    *bool
	Identities *[]string
}

// Change changes an account. Sessions that have begun are not affected.
func (s *Store) Change(ctx context.Context, name string, c Change) error {
	return s.Update(ctx, func(tx Tx) error {
		p, err := tx.Purse(name)
		if err != nil {
			return err
		}

		columns := map[string]any{}
		if c.Tariff != nil {
			columns["tariff"] = *c.Tariff
		}

		if c.Blocked != nil {
			columns["blocked"] = *c.Blocked
		}

		if len(columns) > 0 {
			if err := tx.Model(&Account{}).Where("id = ?", p.Account.ID).Updates(columns).Error; err != nil {
				return err
			}
		}

		if c.Identities == nil {
			return nil
		}

		return tx.identify(name, *c.Identities)
	})
}

// Closed pays an account out and removes its identities. Its history stays, and its name is not used again.
func (s *Store) Closed(ctx context.Context, name string) error {
	return s.Update(ctx, func(tx Tx) error {
		p, err := tx.Purse(name)
		if err != nil {
			return err
		}

		if p.Reserved.Balance != 0 {
			return fmt.Errorf("account %s: %w", name, ErrInUse)
		}

		if err := tx.identify(name, nil); err != nil {
			return err
		}

		about := Movement{Kind: "pay-out", Note: "account closed"}
		from, to := p.Account, tx.cash()

		if from.Balance < 0 { // a debt is written off
			about.Kind, from, to = "write-off", to, from
		}

		if err := tx.move(about, from, to, max(p.Account.Balance, -p.Account.Balance)); err != nil {
			return err
		}

		return tx.Model(&Account{}).Where("name = ?", name).Updates(map[string]any{"closed": s.Now(), "blocked": true}).Error
	})
}

// TopUp adds money from outside. If a top-up had the reference before, nothing is moved: it is the same one again, or ErrReference.
func (s *Store) TopUp(ctx context.Context, name string, amount int64, note, reference string) error {
	return s.change(ctx, name, func(tx Tx) error { return tx.topUp(name, amount, note, reference) })
}

func (tx Tx) topUp(name string, amount int64, note, reference string) error {
	p, err := tx.Purse(name)
	if err != nil {
		return err
	}

	if p.Account.Closed != nil {
		return fmt.Errorf("%w: %s is closed", ErrUnknown, name)
	}

	about := Movement{Kind: "top-up", Note: note}

	if reference != "" {
		about.Reference = &reference

		if spent, err := tx.spent(reference, p.Account.ID, amount); err != nil || spent {
			return err
		}
	}

	if amount <= 0 || amount >= MaxBalance || p.Account.Balance+p.Reserved.Balance+amount >= MaxBalance {
		return ErrAmount
	}

	return tx.move(about, tx.cash(), p.Account, amount)
}

// spent reports whether this same top-up was made before, by its reference.
func (tx Tx) spent(reference string, account uint64, amount int64) (bool, error) {
	var before []SpentReference

	if err := tx.Where("reference = ?", reference).Find(&before).Error; err != nil {
		return false, err
	}

	if len(before) == 0 {
		err := tx.Model(&Movement{}).Select("reference, to_account AS account, amount").Where("reference = ?", reference).Scan(&before).Error
		if err != nil || len(before) == 0 {
			return false, err
		}
	}

	if b := before[0]; b.Account != 0 && (b.Account != account || b.Amount != amount) {
		return false, fmt.Errorf("%w: %s", ErrReference, reference)
	}

	return true, nil
}
