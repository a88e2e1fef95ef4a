package database

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/test/postgres"
)

// made is a schema whose steps each make a table, and count how often.
func made(steps int, times *atomic.Int32) Schema {
	s := Schema{Name: "test"}
	for i := range steps {
		s.Migrations = append(s.Migrations, Migration{Name: fmt.Sprint("table ", i), Do: func(tx *gorm.DB) error {
			times.Add(1)
			return tx.Exec(fmt.Sprintf("CREATE TABLE made_%d (id integer)", i)).Error
		}})
	}

	return s
}

// Each step is made once, in its order, also by a later version of the program; a program of before is refused, and changes nothing.
func TestMigrate(t *testing.T) {
	each(t, func(t *testing.T, d *Database) {
		var times atomic.Int32

		for _, test := range []struct{ steps, times int }{{1, 1}, {1, 1}, {3, 3}, {3, 3}} {
			if err := d.Migrate(t.Context(), made(test.steps, &times)); err != nil || int(times.Load()) != test.times {
				t.Errorf("%d steps: %d were made, want %d: %v", test.steps, times.Load(), test.times, err)
			}
		}

		err := d.Migrate(t.Context(), made(2, &times))
		if !errors.Is(err, ErrNewer) || times.Load() != 3 {
			t.Errorf("%v; %d steps made", err, times.Load())
		}
		const want = "the database is of a newer version of this program: start that version, or restore a copy of the database from before it"
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("it says %v", err)
		}

		other := made(0, &times)
		other.Name = "other"
		other.Migrations = []Migration{{Name: "nothing", Do: func(*gorm.DB) error { return nil }}}
		if err := d.Migrate(t.Context(), other); err != nil {
			t.Errorf("another function on the same database: %v", err)
		}
	})
}

// A step that fails leaves the database as it was, and says which it is.
func TestMigrateAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, d *Database) {
		var times atomic.Int32

		bad := made(2, &times)
		bad.Migrations[1].Do = func(tx *gorm.DB) error { return tx.Exec("ALTER TABLE nowhere ADD COLUMN x integer").Error }
		if err := d.Migrate(t.Context(), bad); err == nil || !strings.Contains(err.Error(), `migration "table 1"`) {
			t.Errorf("it says %v", err)
		}
		if d.Read.Migrator().HasTable("made_0") {
			t.Error("the first step has stayed")
		}
		if err := d.Migrate(t.Context(), made(2, &times)); err != nil || !d.Read.Migrator().HasTable("made_1") {
			t.Errorf("put right: %v", err)
		}
	})
}

// Several processes start at once on a database of before: each step is made by one of them, and all go on.
func TestMigrateAtOnce(t *testing.T) {
	dsns := map[string]string{"file": file(t), "server": postgres.Database(t)}

	for name, dsn := range dsns {
		t.Run(name, func(t *testing.T) {
			var (
				times atomic.Int32
				all   sync.WaitGroup
			)
			for range 6 {
				all.Go(func() {
					d, err := Open(Config{DSN: dsn, Writers: 2, LockWait: time.Minute})
					if err != nil {
						t.Error(err)
						return
					}
					defer d.Close()
					if err := d.Migrate(t.Context(), made(3, &times)); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()

			if times.Load() != 3 {
				t.Errorf("%d steps were made, want 3", times.Load())
			}
		})
	}
}
