package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// Migration is one step of a schema. Its number is its position, from 1. A released step never changes: a later change is another step.
// A step works on its own types, because those of the program change.
type Migration struct {
	Name string
	Do   func(tx *gorm.DB) error
}

// Schema defines the tables of one function by steps. Functions that share a PostgreSQL database have different names.
type Schema struct {
	Name       string // "hss"
	Migrations []Migration
}

// ErrNewer is the error for a database that a newer version of the program has migrated.
var ErrNewer = errors.New("the database is of a newer version of this program: " +
	"start that version, or restore a copy of the database from before it")

// Migrate applies all missing steps in one transaction. If several processes start, one does it while the others wait. The first step
// takes over the tables of versions that did not count their steps.
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

// id returns the key of a step in the table of migrations. The name in it is for people.
func (s Schema) id(i int) string { return fmt.Sprintf("%04d %s", i+1, s.Migrations[i].Name) }

// named adds the step's name to its errors.
func named(m Migration) gormigrate.MigrateFunc {
	return func(tx *gorm.DB) error {
		if err := m.Do(tx); err != nil {
			return fmt.Errorf("migration %q: %w", m.Name, err)
		}

		return nil
	}
}
