package schema

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// folded makes one row of a movement and its two entries. It refuses a ledger in which a movement does not give what it takes: such a fault
// must not vanish.
func folded(tx *gorm.DB) error {
	type Movement struct {
		ID          uint64 `gorm:"primaryKey"`
		At          time.Time
		Kind        string
		Session     string  `gorm:"index"`
		Reference   *string `gorm:"uniqueIndex:movement_reference,where:reference IS NOT NULL"`
		Note        string
		Owner       uint64 `gorm:"index;index:movement_opening,where:kind = 'opening'"`
		FromAccount uint64
		ToAccount   uint64
		Amount      int64
	}

	var odd []uint64

	err := tx.Raw(`SELECT m.id FROM movements m LEFT JOIN entries e ON e.movement_id = m.id
		GROUP BY m.id HAVING COUNT(e.id) <> 2 OR SUM(e.amount) <> 0 OR MAX(e.amount) <= 0 LIMIT 1`).Scan(&odd).Error

	switch {
	case err != nil:
		return err
	case len(odd) > 0:
		return fmt.Errorf("movement %d does not give what it takes: ask \"ocs ledger audit\" of the version before what is wrong", odd[0])
	}

	if err := execute(tx, unsealing(tx)...); err != nil {
		return err
	}

	for _, index := range []string{"idx_movements_at", "idx_movements_reference"} {
		if tx.Migrator().HasIndex("movements", index) {
			if err := tx.Migrator().DropIndex("movements", index); err != nil {
				return err
			}
		}
	}

	if err := tx.AutoMigrate(&Movement{}); err != nil {
		return err
	}

	return execute(tx,
		`UPDATE movements SET
			from_account = (SELECT account_id FROM entries WHERE movement_id = movements.id AND amount < 0),
			to_account = (SELECT account_id FROM entries WHERE movement_id = movements.id AND amount > 0),
			amount = (SELECT amount FROM entries WHERE movement_id = movements.id AND amount > 0)`,
		`UPDATE movements SET owner = COALESCE((SELECT MAX(o.id) FROM accounts a JOIN accounts o ON o.name = a.name AND o.kind = 'subscriber'
			WHERE a.id = movements.from_account OR a.id = movements.to_account), 0)`,
		`UPDATE movements SET owner = CASE
			WHEN from_account = (SELECT id FROM accounts WHERE kind = 'brought forward') THEN to_account ELSE from_account END
			WHERE kind = 'opening' AND owner = 0`,
		"DROP TABLE entries",
		`CREATE VIEW entries AS SELECT id AS movement_id, from_account AS account_id, -amount AS amount FROM movements WHERE from_account > 0
			UNION ALL SELECT id, to_account, amount FROM movements WHERE to_account > 0`,
	)
}

// unsealing lists what makes movements changeable; the ledger seals them again when it opens.
func unsealing(tx *gorm.DB) (statements []string) {
	if tx.Dialector.Name() != "sqlite" {
		return []string{
			"DROP TRIGGER IF EXISTS final_movements ON movements", "DROP TRIGGER IF EXISTS final_entries ON entries",
		}
	}

	for _, trigger := range []string{"no_update_of_movements", "no_delete_of_movements", "no_update_of_entries", "no_delete_of_entries"} {
		statements = append(statements, "DROP TRIGGER IF EXISTS "+trigger)
	}

	return statements
}

func execute(tx *gorm.DB, statements ...string) error {
	for _, statement := range statements {
		if err := tx.Exec(statement).Error; err != nil {
			return err
		}
	}

	return nil
}

// answers numbers the answers given, so that the oldest are found without an index of times.
func answers(tx *gorm.DB) error {
	type Answer struct {
		ID      uint64 `gorm:"primaryKey"`
		Session string `gorm:"uniqueIndex:answer_request"`
		Type    uint32 `gorm:"uniqueIndex:answer_request"`
		Number  uint32 `gorm:"uniqueIndex:answer_request"`
		Host    string
		Realm   string
		Answer  string
		At      time.Time
	}

	if err := tx.AutoMigrate(&Answer{}); err != nil {
		return err
	}

	return execute(tx,
		`INSERT INTO answers (session, type, number, host, realm, answer, at)
			SELECT session, type, number, host, realm, answer, at FROM replies ORDER BY at`,
		"DROP TABLE replies",
	)
}
