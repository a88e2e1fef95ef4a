package credit

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/schema"
	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
	"github.com/dialtone-ims/dialtone/test/tables"
)

// A ledger of an OCS that did not count the steps of its schema is migrated to the cent: balances, the open call, and the answers given.
// One that a newer OCS has used is refused.
func TestUncountedDatabase(t *testing.T) {
	opened := func(t *testing.T, dsn string) *database.Database {
		d, err := database.Open(database.Config{DSN: dsn, Writers: 2})
		if err != nil {
			t.Fatal(err)
		}

		return d
	}

	for name, prepare := range map[string]func(*testing.T) string{
		"file": func(t *testing.T) string {
			dsn := filepath.Join(scratch.Dir(t), "ledger.db")
			content, err := os.ReadFile("testdata/uncounted/ledger.db")
			if err == nil {
				err = os.WriteFile(dsn, content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}

			return dsn
		},
		"server": func(t *testing.T) string {
			dsn := postgres.Database(t)
			tables.Fill(t, dsn, "testdata/uncounted/ledger.sql")

			return dsn
		},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := prepare(t)
			b := benchOn(t, dsn, nil)

			if got := b.money(t, "15550001"); got != (money{915, 60}) {
				t.Errorf("%+v", got)
			}
			if a := b.send(t, ccr("nf;old;1", ro.Terminate, 1, service(100, -1, 25))); a.Result != ro.Success {
				t.Errorf("a request of before again: %v", a.Result)
			}
			if a := b.send(t, ccr("nf;old;2", ro.Terminate, 1, service(100, -1, 10))); a.Result != ro.Success {
				t.Errorf("the end of the call that was open: %v", a.Result)
			}
			if got := b.money(t, "15550001"); got != (money{965, 0}) || len(b.cdrs(t)) != 2 {
				t.Errorf("%+v, %d records", got, len(b.cdrs(t)))
			}
			b.audited(t)

			d, fresh := opened(t, dsn), opened(t, filepath.Join(scratch.Dir(t), "fresh.db"))
			defer fresh.Close()
			if err := fresh.Migrate(t.Context(), schema.OCS); err != nil {
				t.Fatal(err)
			}
			if name == "file" {
				if was, is := tables.Describe(t, fresh.Read), tables.Describe(t, d.Read); was != is {
					t.Errorf("-of a new database +of the old one\n%s", cmp.Diff(was, is))
				}
			}

			if err := d.Write.Exec("INSERT INTO ocs_migrations (id) VALUES ('9999 of tomorrow')").Error; err != nil {
				t.Fatal(err)
			}
			d.Close()
			if _, err := ledger.Open(dsn); !errors.Is(err, database.ErrNewer) {
				t.Errorf("a newer database: %v", err)
			}
		})
	}
}

// Several OCSs start at once on an older PostgreSQL database: one of them migrates it, all of them serve.
func TestOCSsStartAtOnce(t *testing.T) {
	dsn := postgres.Database(t)
	tables.Fill(t, dsn, "testdata/uncounted/ledger.sql")

	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			store, err := ledger.Open(dsn)
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			if balances, entries, err := store.Sum(t.Context()); err != nil || balances != 0 || entries != 0 {
				t.Errorf("the sums are %d and %d: %v", balances, entries, err)
			}
		})
	}
	all.Wait()
}
