package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

// before makes the tables of the first step, with some accounts, and these rows.
func before(t *testing.T, dsn string, rows ...string) *database.Database {
	t.Helper()

	d, err := database.Open(database.Config{DSN: dsn, Writers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })

	first := OCS
	first.Migrations = first.Migrations[:1]
	if err := d.Migrate(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), func(tx *gorm.DB) error {
		return execute(tx, append([]string{`INSERT INTO accounts (id, name, kind) VALUES (1, 'network', 'revenue'), (2, 'network', 'cash'),
			(3, 'network', 'brought forward'), (4, 'alice', 'subscriber'), (5, 'alice', 'reserved')`}, rows...)...)
	}); err != nil {
		t.Fatal(err)
	}

	return d
}

// A movement and its two entries become one row, with the account whose history it is.
func TestFolded(t *testing.T) {
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(scratch.Dir(t), "ledger.db") },
		"postgres": func(t *testing.T) string { return postgres.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d := before(t, dsn(t),
				`INSERT INTO movements (id, kind, session) VALUES (1, 'top-up', ''), (2, 'reserve', 's'), (3, 'debit', 's'),
					(4, 'opening', ''), (5, 'opening', '')`,
				`INSERT INTO entries (movement_id, account_id, amount) VALUES (1, 2, -100), (1, 4, 100), (2, 5, 60), (2, 4, -60),
					(3, 5, -10), (3, 1, 10), (4, 3, -7), (4, 1, 7), (5, 3, 7), (5, 2, -7)`,
				"INSERT INTO replies (session, type, number, host, answer) VALUES ('s', 1, 0, 'nf', '{}')",
			)
			if err := d.Migrate(t.Context(), OCS); err != nil {
				t.Fatal(err)
			}

			rows := func(query string) (text string) {
				t.Helper()
				found, err := d.Read.Raw(query).Rows()
				if err != nil {
					t.Fatal(err)
				}
				defer found.Close()
				for found.Next() {
					var a, b, c, e int64
					if err := found.Scan(&a, &b, &c, &e); err != nil {
						t.Fatal(err)
					}
					text += fmt.Sprint(a, " ", b, " ", c, " ", e, "; ")
				}

				return text
			}
			if got := rows("SELECT owner, from_account, to_account, amount FROM movements ORDER BY id"); got !=
				"4 2 4 100; 4 4 5 60; 4 5 1 10; 1 3 1 7; 2 2 3 7; " {
				t.Error(got)
			}
			if got := rows("SELECT account_id, SUM(amount), COUNT(*), 0 FROM entries GROUP BY account_id ORDER BY account_id"); got !=
				"1 17 2 0; 2 -107 2 0; 3 0 2 0; 4 40 2 0; 5 50 2 0; " {
				t.Error(got)
			}
			if got := rows("SELECT id, type, number, 0 FROM answers"); got != "1 1 0 0; " {
				t.Error(got)
			}
		})
	}
}

// A ledger that does not add up is not made one that does.
func TestFoldedRefuses(t *testing.T) {
	for name, entries := range map[string]string{
		"one entry":            "(7, 4, 5)",
		"none":                 "(8, 4, 5), (8, 2, -5)",
		"three entries":        "(7, 4, 5), (7, 2, -3), (7, 1, -2)",
		"more than was taken":  "(7, 4, 5), (7, 2, -3)",
		"nothing, but entries": "(7, 4, 0), (7, 2, 0)",
	} {
		t.Run(name, func(t *testing.T) {
			d := before(t, filepath.Join(scratch.Dir(t), "ledger.db"),
				"INSERT INTO movements (id, kind) VALUES (7, 'gift'), (8, 'gift')",
				"INSERT INTO entries (movement_id, account_id, amount) VALUES "+entries,
				"DELETE FROM movements WHERE id = 8 AND NOT EXISTS (SELECT 1 FROM entries WHERE movement_id = 8)")
			err := d.Migrate(t.Context(), OCS)
			if err == nil || !strings.Contains(err.Error(), "movement 7 does not give what it takes") {
				t.Errorf("%v", err)
			}
			var n int64
			if err := d.Read.Table("entries").Count(&n).Error; err != nil || n == 0 {
				t.Errorf("%d entries are left: %v", n, err)
			}
		})
	}
}
