package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// Migration is one step of a schema. Its number is its place among the others, from 1, and it is never changed once a version has
// it: what comes later is another step. A step works on its own types, not on the program's, which go on changing.
type Migration struct {
	Name string
	Do   func(tx *gorm.DB) error
}

// Schema is the tables of one function, step by step. Functions that share a PostgreSQL have different names.
type Schema struct {
	Name       string // "hss"
	Migrations []Migration
}

// ErrNewer is the error of a database that a newer version of the program has had.
var ErrNewer = errors.New("the database is of a newer version of this program: " +
	"start that version, or restore a copy of the database from before it")

// Migrate brings a database to the newest step, all or nothing, one process at a time where several start. The first step finds
// the tables of a program that did not count its steps, and takes them over.
func (d *Database) Migrate(ctx context.Context, s Schema) error {
	steps := make([]*gormigrate.Migration, len(s.Migrations))
	for i, m := range s.Migrations {
		steps[i] = &gormigrate.Migration{ID: s.id(i), Migrate: named(m)}
	}

	return d.Update(ctx, func(tx *gorm.DB) error {
		if err := d.Lock(tx, oneAtATime); err != nil {
			return err
		}

		options := &gormigrate.Options{TableName: s.Name + "_migrations", ValidateUnknownMigrations: true} // within our transaction

		err := gormigrate.New(tx, options, steps).Migrate()
		if errors.Is(err, gormigrate.ErrUnknownPastMigration) {
			return fmt.Errorf("%w (it has steps of %s after %s, the last that is known here)", ErrNewer, options.TableName, s.id(len(steps)-1))
		}

		return err
	})
}

// id returns what the table of migrations says of a step. The name is for those who look into it.
func (s Schema) id(i int) string { return fmt.Sprintf("%04d %s", i+1, s.Migrations[i].Name) }

// named has a step's error say which step it was.
func named(m Migration) gormigrate.MigrateFunc {
	return func(tx *gorm.DB) error {
		if err := m.Do(tx); err != nil {
			return fmt.Errorf("migration %q: %w", m.Name, err)
		}

		return nil
	}
}
