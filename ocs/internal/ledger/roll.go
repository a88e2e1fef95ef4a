package ledger

import (
	"context"
	"fmt"
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

// atATime is how many movements are rolled up in one transaction, so that others are served meanwhile.
const atATime = 1000

// Roll replaces, for each account, all movements before a time with one opening movement. Balances stay as they are, and every movement
// still gives what it takes: the other side of an opening is the account of what was brought forward, on which the openings of all accounts
// are zero together. Nothing else deletes from the ledger.
func (s *Store) Roll(ctx context.Context, before time.Time) (rolled int, err error) {
	for {
		var n int

		err := s.Update(ctx, func(tx Tx) (err error) {
			n, err = tx.roll(before.UTC(), atATime)
			return err
		})
		if err != nil {
			return rolled, fmt.Errorf("ledger: roll up: %w", err)
		}

		rolled += n

		if n < atATime {
			return rolled, nil
		}
	}
}

func (tx Tx) roll(before time.Time, limit int) (int, error) {
	var old []Movement

	err := tx.Select("id", "at", "reference").Where("at < ? AND kind <> ?", before, opening).Order("at, id").Limit(limit).Find(&old).Error
	if err != nil || len(old) == 0 {
		return 0, err
	}

	ids := make([]uint64, len(old))
	for i := range old {
		ids[i] = old[i].ID
	}

	sums, accounts, err := tx.sums(ids)
	if err != nil {
		return 0, err
	}

	openings, err := tx.openings(accounts)
	if err != nil {
		return 0, err
	}

	earlier, _, err := tx.sums(openings)
	if err != nil {
		return 0, err
	}

	if err := tx.keepReferences(old); err != nil {
		return 0, err
	}

	if err := tx.erase(append(ids, openings...)); err != nil {
		return 0, err
	}

	forward := tx.store.forward.ID
	made := make([]Movement, 0, len(accounts))

	for _, account := range accounts {
		if sum := sums[account] + earlier[account]; sum != 0 {
			made = append(made, Movement{
				At: old[len(old)-1].At, Kind: opening, Note: "brought forward",
				Entries: []Entry{{AccountID: forward, Amount: -sum}, {AccountID: account, Amount: sum}},
			})
		}
	}

	if len(made) == 0 {
		return len(old), nil
	}

	return len(old), tx.CreateInBatches(made, 500).Error
}

// sums returns the sums of the entries of movements by account; accounts lists those with entries, in order.
func (tx Tx) sums(movements []uint64) (sums map[uint64]int64, accounts []uint64, err error) {
	var rows []struct {
		AccountID uint64
		Sum       int64
	}

	sums = map[uint64]int64{}
	if len(movements) == 0 {
		return sums, nil, nil
	}

	err = tx.Model(
		&Entry{},
	).Select(
		"account_id, SUM(amount) AS sum",
	).Where(
		"movement_id IN ? AND account_id <> ?",
		movements,
		tx.store.forward.ID,
	).
		Group(
			"account_id",
		).Order(
		"account_id",
	).Scan(
		&rows,
	).Error

	for _, row := range rows {
		sums[row.AccountID] = row.Sum
		accounts = append(accounts, row.AccountID)
	}

	return sums, accounts, err
}

// openings returns the movements with which these accounts' histories begin now.
func (tx Tx) openings(accounts []uint64) (ids []uint64, err error) {
	err = tx.Model(&Movement{}).Joins("JOIN entries ON entries.movement_id = movements.id").
		Where("movements.kind = ? AND entries.account_id IN ?", opening, accounts).Pluck("movements.id", &ids).Error

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

	err := tx.Model(&Movement{}).Select("movements.reference, entries.account_id AS account, entries.amount").
		Joins("JOIN entries ON entries.movement_id = movements.id AND entries.amount > 0").Where("movements.id IN ?", ids).Scan(&spent).Error
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

	if err := tx.Where("movement_id IN ?", ids).Delete(&Entry{}).Error; err != nil {
		return err
	}

	if err := tx.Where("id IN ?", ids).Delete(&Movement{}).Error; err != nil {
		return err
	}

	return seal(tx.DB)
}

func unseal(db *gorm.DB) error {
	for _, table := range []string{"movements", "entries"} {
		statements := []string{"DROP TRIGGER final_" + table + " ON " + table}
		if db.Dialector.Name() == "sqlite" {
			statements = []string{"DROP TRIGGER no_update_of_" + table, "DROP TRIGGER no_delete_of_" + table}
		}

		for _, statement := range statements {
			if err := db.Exec(statement).Error; err != nil {
				return err
			}
		}
	}

	return nil
}
