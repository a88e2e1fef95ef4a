package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
)

// opening is the kind of the movement that replaces all older ones of an account.
const opening = "opening"

// SpentReference is the reference of a rolled-up top-up, which still cannot be repeated.
type SpentReference struct {
	Reference string `gorm:"primaryKey"`
	Account   uint64 // that was topped up; 0 if rolled up by an earlier OCS
	Amount    int64
}

// atATime is how many movements are looked at in one transaction, so that others are served meanwhile.
const atATime = 1000

// Roll replaces, for each account, all movements before a time with one opening movement. Balances stay as they are, and every movement
// still gives what it takes: the other side of an opening is the account of what was brought forward, on which the openings of all accounts
// are zero together. Nothing else deletes from the ledger.
func (s *Store) Roll(ctx context.Context, before time.Time) (rolled int, err error) {
	s.rolling.Lock()
	defer s.rolling.Unlock()

	for {
		var (
			n       int
			through uint64
		)

		err := s.Tidy(ctx, func(tx Tx) (err error) {
			n, through, err = tx.roll(before.UTC(), s.rolled, atATime)
			return err
		})
		if err != nil {
			return rolled, fmt.Errorf("ledger: roll up: %w", err)
		}

		rolled += n

		if through == s.rolled {
			return rolled, nil
		}

		s.rolled = through
	}
}

// roll rolls up those of the next movements behind one that are old enough, and returns the last that nobody needs to look at again.
// Movements are numbered as they come: behind the first that is too young, none is looked at.
func (tx Tx) roll(before time.Time, behind uint64, limit int) (rolled int, through uint64, err error) {
	var (
		next, old []Movement
		ids       []uint64
	)

	err = tx.Select("id", "at", "kind", "reference").Where("id > ?", behind).Order("id").Limit(limit).Find(&next).Error
	if err != nil {
		return 0, behind, err
	}

	through = behind

	for i := range next {
		if next[i].Kind != opening && !next[i].At.Before(before) {
			break
		}

		through = next[i].ID

		if next[i].Kind != opening {
			old, ids = append(old, next[i]), append(ids, next[i].ID)
		}
	}

	if len(old) == 0 {
		return 0, through, nil
	}

	sums, accounts, err := tx.sums(ids)
	if err != nil {
		return 0, behind, err
	}

	owners, err := tx.owners(accounts)
	if err != nil {
		return 0, behind, err
	}

	openings, err := tx.openings(accounts, owners)
	if err != nil {
		return 0, behind, err
	}

	earlier, _, err := tx.sums(openings)
	if err != nil {
		return 0, behind, err
	}

	if err := errors.Join(tx.keepReferences(old), tx.erase(append(ids, openings...))); err != nil {
		return 0, behind, err
	}

	var made []*Movement

	for _, account := range accounts {
		sum := sums[account] + earlier[account]
		if sum == 0 {
			continue
		}

		m := &Movement{At: old[len(old)-1].At, Kind: opening, Note: "brought forward", Owner: owners[account]}
		m.FromAccount, m.ToAccount, m.Amount = tx.store.forward.ID, account, sum

		if sum < 0 {
			m.FromAccount, m.ToAccount, m.Amount = account, tx.store.forward.ID, -sum
		}

		made = append(made, m)
	}

	return len(old), through, tx.store.movements.Insert(tx.DB, made)
}

// owners returns the owner of each account's movements.
func (tx Tx) owners(accounts []uint64) (map[uint64]uint64, error) {
	var rows []struct{ ID, Owner uint64 }

	err := tx.Raw("SELECT a.id, COALESCE(o.id, a.id) AS owner FROM accounts a LEFT JOIN accounts o ON o.name = a.name AND o.kind = ?"+
		" WHERE a.id IN ?", Subscriber, accounts).Scan(&rows).Error
	owners := map[uint64]uint64{}

	for _, row := range rows {
		owners[row.ID] = row.Owner
	}

	return owners, err
}

// sums returns what movements add to each account; accounts lists those that they concern, in order.
func (tx Tx) sums(movements []uint64) (sums map[uint64]int64, accounts []uint64, err error) {
	var rows []Movement

	sums = map[uint64]int64{}
	if len(movements) == 0 {
		return sums, nil, nil
	}

	if err := tx.Select("from_account", "to_account", "amount").Where("id IN ?", movements).Find(&rows).Error; err != nil {
		return nil, nil, err
	}

	for _, row := range rows {
		sums[row.FromAccount] -= row.Amount
		sums[row.ToAccount] += row.Amount
	}

	delete(sums, tx.store.forward.ID)

	return sums, slices.Sorted(maps.Keys(sums)), nil
}

// openings returns the movements with which these accounts' histories begin now.
func (tx Tx) openings(accounts []uint64, owners map[uint64]uint64) (ids []uint64, err error) {
	err = tx.Model(&Movement{}).Where("kind = '"+opening+"' AND owner IN ? AND (from_account IN ? OR to_account IN ?)",
		slices.Collect(maps.Values(owners)), accounts, accounts).Pluck("id", &ids).Error

	return ids, err
}

func (tx Tx) keepReferences(old []Movement) error {
	var ids []uint64

	for i := range old {
		if old[i].Reference != nil {
			ids = append(ids, old[i].ID)
		}
	}

	if len(ids) == 0 {
		return nil
	}

	var spent []SpentReference

	err := tx.Model(&Movement{}).Select("reference, to_account AS account, amount").Where("id IN ?", ids).Scan(&spent).Error
	if err != nil {
		return err
	}

	return tx.CreateInBatches(spent, 500).Error
}

// erase deletes movements. The seal is broken only within the transaction, which nobody else sees.
func (tx Tx) erase(ids []uint64) error {
	if err := unseal(tx.DB); err != nil {
		return err
	}

	if err := tx.Where("id IN ?", ids).Delete(&Movement{}).Error; err != nil {
		return err
	}

	return seal(tx.DB)
}

func unseal(db *gorm.DB) error {
	statements := []string{"DROP TRIGGER final_movements ON movements"}
	if db.Dialector.Name() == "sqlite" {
		statements = []string{"DROP TRIGGER no_update_of_movements", "DROP TRIGGER no_delete_of_movements"}
	}

	for _, statement := range statements {
		if err := db.Exec(statement).Error; err != nil {
			return err
		}
	}

	return nil
}
