// Package tables describes the tables of a database for tests, and fills databases that programs of the past have made.
package tables

import (
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL
	"gorm.io/gorm"
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
