// Package tables describes the tables of a database for tests, and fills databases that programs of the past have made.
package tables

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL
	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

// Describe returns every table but those that a test leaves out: its columns with their types, and its indexes.
func Describe(t testing.TB, db *gorm.DB, except ...string) string {
	t.Helper()

	names, err := db.Migrator().GetTables()
	if err != nil {
		t.Fatal(err)
	}

	var lines []string

	for _, name := range names {
		if slices.Contains(except, name) || strings.HasPrefix(name, "sqlite_") {
			continue
		}

		columns, err := db.Migrator().ColumnTypes(name)
		if err != nil {
			t.Fatal(err)
		}

		for _, c := range columns {
			nullable, _ := c.Nullable()
			primary, _ := c.PrimaryKey()
			lines = append(lines, fmt.Sprintf("%s.%s %s nullable=%v primary=%v", name, c.Name(), c.DatabaseTypeName(), nullable, primary))
		}

		indexes, err := db.Migrator().GetIndexes(name)
		if err != nil {
			t.Fatal(err)
		}

		for _, i := range indexes {
			unique, _ := i.Unique()
			lines = append(lines, fmt.Sprintf("%s: %s (%s) unique=%v", name, i.Name(), strings.Join(i.Columns(), ", "), unique))
		}
	}

	slices.Sort(lines)

	return strings.Join(lines, "\n") + "\n"
}

// Stepped wants that the steps of a schema, on a file and on a server, make the tables that the types describe.
func Stepped(t *testing.T, schema database.Schema, types ...any) {
	t.Helper()

	for name, dsn := range map[string]func() string{
		"file":   func() string { return filepath.Join(scratch.Dir(t), schema.Name+".db") },
		"server": func() string { return postgres.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			stepped, typed := opened(t, dsn()), opened(t, dsn())
			if err := stepped.Migrate(t.Context(), schema); err != nil {
				t.Fatal(err)
			}

			if err := typed.Update(t.Context(), func(tx *gorm.DB) error { return tx.AutoMigrate(types...) }); err != nil {
				t.Fatal(err)
			}

			want := Describe(t, typed.Read)
			if got := Describe(t, stepped.Read, schema.Name+"_migrations"); got != want {
				t.Errorf("-of the types +of the steps\n%s", cmp.Diff(want, got))
			}
		})
	}
}

func opened(t *testing.T, dsn string) *database.Database {
	t.Helper()

	d, err := database.Open(database.Config{DSN: dsn, Writers: 2})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { d.Close() })

	return d
}

// Fill runs a file of SQL on a PostgreSQL that is empty.
func Fill(t testing.TB, dsn, file string) {
	t.Helper()

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	if _, err := db.ExecContext(t.Context(), string(text)); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
