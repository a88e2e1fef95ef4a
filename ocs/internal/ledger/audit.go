package ledger

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Sum returns the sum of all balances and that of all entries. Both are zero. Entries never change, so only new ones are added since the
// last time.
func (s *Store) Sum(ctx context.Context) (balances, entries int64, err error) {
	s.auditing.Lock()
	defer s.auditing.Unlock()

	var sum int64

	last := s.audited

	err = s.Read(
		ctx,
	).Raw(
		"SELECT (SELECT COALESCE(SUM(balance), 0) FROM accounts), COALESCE(SUM(amount), 0), COALESCE(MAX(id), ?) FROM entries WHERE id > ?",
		last,
		last,
	).Row().Scan(
		&balances,
		&sum,
		&last,
	)
	if err != nil {
		return 0, 0, fmt.Errorf("ledger: sum: %w", err)
	}

	s.audited = last
	s.sum += sum

	return balances, s.sum, nil
}

// Held returns the sum of all reservations.
func (s *Store) Held(ctx context.Context) (sum int64, err error) {
	err = s.Read(ctx).Raw("SELECT COALESCE(SUM(balance), 0) FROM accounts WHERE kind = ?", Reserved).Row().Scan(&sum)
	return sum, err
}

// Audit is the result of an audit. An intact ledger has no findings.
type Audit struct {
	Movements     int64    `json:"movements"`
	Entries       int64    `json:"entries"`
	SumOfBalances int64    `json:"sum_of_balances"`
	SumOfEntries  int64    `json:"sum_of_entries"`
	Findings      []string `json:"findings"` // at most 100
}

// Audit checks every entry, in one state of the ledger: whether each movement gives what it takes, and each balance is the sum of its
// account's entries.
func (s *Store) Audit(ctx context.Context) (*Audit, error) {
	a := &Audit{Findings: []string{}}

	return a, s.db.Snapshot(ctx, a.look)
}

func (a *Audit) look(db *gorm.DB) error {
	for _, q := range []struct {
		into  *int64
		query string
	}{
		{&a.Movements, "SELECT COUNT(*) FROM movements"},
		{&a.Entries, "SELECT COUNT(*) FROM entries"},
		{&a.SumOfBalances, "SELECT COALESCE(SUM(balance), 0) FROM accounts"},
		{&a.SumOfEntries, "SELECT COALESCE(SUM(amount), 0) FROM entries"},
	} {
		if err := db.Raw(q.query).Row().Scan(q.into); err != nil {
			return fmt.Errorf("ledger: audit: %w", err)
		}
	}

	for _, q := range []struct{ finding, query string }{
		{
			"movement %d: its entries add up to %d",
			`SELECT m.id, COALESCE(SUM(e.amount), 0) FROM movements m LEFT JOIN entries e ON e.movement_id = m.id
			GROUP BY m.id HAVING COALESCE(SUM(e.amount), 0) <> 0 OR COUNT(e.id) < 2 LIMIT 50`,
		},
		{
			"account %d: its balance differs from its entries by %d",
			`SELECT a.id, a.balance - COALESCE(SUM(e.amount), 0) FROM accounts a LEFT JOIN entries e ON e.account_id = a.id
			GROUP BY a.id, a.balance HAVING a.balance <> COALESCE(SUM(e.amount), 0) LIMIT 50`,
		},
	} {
		rows, err := db.Raw(q.query).Rows()
		if err != nil {
			return fmt.Errorf("ledger: audit: %w", err)
		}

		for rows.Next() {
			var id, amount int64
			if err := rows.Scan(&id, &amount); err != nil {
				rows.Close()
				return fmt.Errorf("ledger: audit: %w", err)
			}

			a.Findings = append(a.Findings, fmt.Sprintf(q.finding, id, amount))
		}

		if err := rows.Close(); err != nil {
			return fmt.Errorf("ledger: audit: %w", err)
		}
	}

	return nil
}
