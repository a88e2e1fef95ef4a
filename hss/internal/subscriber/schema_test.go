package subscriber

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/hss/internal/schema"
	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
	"github.com/dialtone-ims/dialtone/test/tables"
)

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
		"file":   func() string { return filepath.Join(scratch.Dir(t), "hss.db") },
		"server": func() string { return postgres.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			stepped, typed := open(t, dsn()), open(t, dsn())
			if err := stepped.Migrate(t.Context(), schema.HSS); err != nil {
				t.Fatal(err)
			}
			err := typed.Update(t.Context(), func(tx *gorm.DB) error {
				return tx.AutoMigrate(&Subscription{}, &PrivateIdentity{}, &RegistrationSet{}, &Registration{}, &PublicIdentity{},
					&ServiceProfile{}, &SharedFilterCriteria{}, &Push{}, &mark{})
			})
			if err != nil {
				t.Fatal(err)
			}

			want := tables.Describe(t, typed.Read)
			if got := tables.Describe(t, stepped.Read, "hss_migrations"); got != want {
				t.Errorf("-of the types +of the steps\n%s", cmp.Diff(want, got))
			}
		})
	}
}
