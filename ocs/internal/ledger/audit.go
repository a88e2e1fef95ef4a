package ledger

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Sum returns the sum of all balances, and by how much more was given than taken. Both are zero. Movements never change, so only new ones
// are added up since the last time.
func (s *Store) Sum(ctx context.Context) (balances, entries int64, err error) {
	s.auditing.Lock()
	defer s.auditing.Unlock()

	const query = `SELECT (SELECT COALESCE(SUM(balance), 0) FROM accounts),
		COALESCE(SUM(CASE WHEN to_account > 0 THEN amount ELSE 0 END - CASE WHEN from_account > 0 THEN amount ELSE 0 END), 0),
		COALESCE(MAX(id), ?) FROM movements WHERE id > ?`

	var sum int64

	last := s.audited
	if err = s.Read(ctx).Raw(query, last, last).Row().Scan(&balances, &sum, &last); err != nil {
		return 0, 0, fmt.Errorf("ledger: sum: %w", err)
	}

	s.audited = last
	s.sum += sum

	return balances, s.sum, nil
}

// Sums are the two sums of a ledger.
type Sums struct{ Balances, Entries int64 }

// Sums returns what Sum does, of a large ledger as it was a while ago.
func (s *Store) Sums(ctx context.Context) (Sums, error) { return s.sums.Value(ctx) }

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
			WHERE m.amount <= 0 OR m.from_account = 0 OR m.to_account = 0 OR m.from_account IS NULL OR m.to_account IS NULL
			GROUP BY m.id LIMIT 50`,
		},
		{
			"account %d: its balance differs from its entries by %d",
			`SELECT a.id, a.balance - COALESCE(e.sum, 0) FROM accounts a
			LEFT JOIN (SELECT account_id, SUM(amount) AS sum FROM entries GROUP BY account_id) e ON e.account_id = a.id
			WHERE a.balance <> COALESCE(e.sum, 0) LIMIT 50`,
		},
		{
			"account %d does not exist, and its entries add up to %d",
			`SELECT e.account_id, SUM(e.amount) FROM entries e LEFT JOIN accounts a ON a.id = e.account_id
			WHERE a.id IS NULL GROUP BY e.account_id LIMIT 50`,
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
