package credit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/schema"
	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
	"github.com/dialtone-ims/dialtone/test/tables"
)

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

// The steps of the schema lead to the tables that the program works with: who changes a type adds a step.
func TestSchema(t *testing.T) {
	open := func(t *testing.T, dsn string) *database.Database {
		d, err := database.Open(database.Config{DSN: dsn, Writers: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })

		return d
	}

	for name, dsn := range map[string]func() string{
		"file":   func() string { return filepath.Join(scratch.Dir(t), "ledger.db") },
		"server": func() string { return postgres.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			stepped, typed := open(t, dsn()), open(t, dsn())
			if err := stepped.Migrate(t.Context(), schema.OCS); err != nil {
				t.Fatal(err)
			}
			err := typed.Update(t.Context(), func(tx *gorm.DB) error {
				return tx.AutoMigrate(&ledger.Account{}, &ledger.Identity{}, &ledger.Movement{}, &ledger.Entry{}, &ledger.SpentReference{},
					&Session{}, &reply{}, &CDR{}, &StoredTariff{})
			})
			if err != nil {
				t.Fatal(err)
			}

			want := tables.Describe(t, typed.Read)
			if got := tables.Describe(t, stepped.Read, "ocs_migrations"); got != want {
				t.Errorf("-of the types +of the steps\n%s", cmp.Diff(want, got))
			}
		})
	}
}
