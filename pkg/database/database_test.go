package database

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/test/postgres"
)

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

// word is a row for these tests.
type word struct {
	ID   uint64 `gorm:"primaryKey"`
	Text string
}

func open(t *testing.T, dsn string) *Database {
	t.Helper()

	d, err := Open(Config{DSN: dsn, Writers: 4, LockWait: 50 * time.Millisecond, Durable: true, ForeignKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })

	if err := d.Write.AutoMigrate(&word{}); err != nil {
		t.Fatal(err)
	}
	if err := d.Write.Create(&[]word{{Text: "one"}, {Text: "two"}, {Text: "three"}}).Error; err != nil {
		t.Fatal(err)
	}

	return d
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "data", "test.db") }

func each(t *testing.T, f func(*testing.T, *Database)) {
	t.Run("file", func(t *testing.T) { f(t, open(t, file(t))) })
	t.Run("server", func(t *testing.T) { f(t, open(t, postgres.Database(t))) })
}

// A crowd of transactions and of single statements, all of the same text, that nobody has prepared yet: each pool is empty again
// and again. With statements that gorm prepares for all together they would wait for each other for ever.
func TestNobodyWaitsForTheStatementOfAnother(t *testing.T) {
	each(t, func(t *testing.T, d *Database) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		const crowd, rounds = 48, 20

		var all sync.WaitGroup
		for i := range crowd {
			all.Go(func() {
				for round := range rounds {
					var found []word
					where := fmt.Sprintf("text <> '%d'", round) // a text of its own for each round
					err := error(nil)
					switch i % 4 {
					case 0:
						err = d.Read.WithContext(ctx).Where(where).Find(&found).Error
					case 1:
						err = d.Snapshot(ctx, func(tx *gorm.DB) error { return tx.Where(where).Find(&found).Error })
					case 2:
						err = d.Update(ctx, func(tx *gorm.DB) error { return tx.Where(where).Find(&found).Error })
					default:
						err = d.Write.WithContext(ctx).Where(where).Find(&found).Error
					}
					if err != nil || len(found) != 3 {
						t.Errorf("%d in round %d: %d found, %v", i, round, len(found), err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// Whoever only reads still can when all connections that write are in use.
func TestReadersAndWritersHaveConnectionsOfTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, d *Database) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		writers, began, release := 1, make(chan struct{}), make(chan struct{})
		if d.Shared {
			writers = 4
		}

		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				if err := d.Update(ctx, func(*gorm.DB) error { began <- struct{}{}; <-release; return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		for range writers {
			<-began
		}
		var n int64
		if err := d.Read.WithContext(ctx).Model(&word{}).Count(&n).Error; err != nil || n != 3 {
			t.Errorf("%d, %v", n, err)
		}
		close(release)
		all.Wait()
	})
}

func TestFilesAreTheOwnersFromTheStart(t *testing.T) {
	for name, before := range map[string]bool{"new": false, "made with other permissions": true} {
		t.Run(name, func(t *testing.T) {
			defer syscall.Umask(syscall.Umask(0))

			path := file(t)
			if before {
				if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				for _, suffix := range []string{"", "-wal", "-shm"} {
					if err := os.WriteFile(path+suffix, nil, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}

			open(t, path)

			for _, suffix := range []string{"", "-wal", "-shm"} {
				if info, err := os.Stat(path + suffix); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v", suffix, info.Mode(), err)
				}
			}
		})
	}
}

// alive asks anew, whatever was said a moment ago.
func (d *Database) anew(ctx context.Context) error {
	d.alive.at = time.Time{}
	return d.Alive(ctx)
}

func TestAlive(t *testing.T) {
	d := open(t, file(t))
	if err := d.anew(t.Context()); err != nil {
		t.Fatal(err)
	}

	run := func(statement string) {
		t.Helper()
		if err := d.Write.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}

	t.Run("the disk is full", func(t *testing.T) {
		run("DELETE FROM liveness")
		var pages int
		if err := d.Write.Raw("PRAGMA page_count").Scan(&pages).Error; err != nil {
			t.Fatal(err)
		}
		run(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		defer run("PRAGMA max_page_count = 1000000")
		for d.Write.Create(&word{Text: strings.Repeat("x", 1000)}).Error == nil { // what room there is
		}
		run("CREATE TEMP TRIGGER heavy AFTER INSERT ON liveness BEGIN INSERT INTO words (text) VALUES (zeroblob(100000)); END")
		defer run("DROP TRIGGER heavy")
		if err := d.anew(t.Context()); err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("%v, want that the disk is full", err)
		}
	})
	if err := d.anew(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}

	t.Run("locked by another process", func(t *testing.T) {
		other, err := remembering("file:" + filepath.Join(path(t, d)))
		if err != nil {
			t.Fatal(err)
		}
		connection, err := other.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if _, err := connection.(whole).BeginTx(t.Context(), immediate); err != nil {
			t.Fatal(err)
		}
		if _, err := connection.(execer).ExecContext(t.Context(), "DELETE FROM words", nil); err != nil {
			t.Fatal(err)
		}
		if err := d.anew(t.Context()); err == nil || !strings.Contains(err.Error(), "locked") {
			t.Errorf("%v, want that it is locked", err)
		}
	})
	if err := d.anew(t.Context()); err != nil {
		t.Errorf("unlocked again: %v", err)
	}
}

func TestAliveNoticesAStandby(t *testing.T) {
	d := open(t, postgres.Database(t))
	if err := d.anew(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool, err := d.Write.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1) // so that the session's setting is that of the next statement
	if err := d.Write.Exec("SET default_transaction_read_only = on").Error; err != nil {
		t.Fatal(err)
	}
	if err := d.anew(t.Context()); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("%v, want that it cannot be written", err)
	}
}

// Who asks often does not write often.
func TestAliveIsBelievedForAMoment(t *testing.T) {
	d := open(t, file(t))
	row := func() (l liveness) {
		if err := d.Read.Take(&l).Error; err != nil {
			t.Fatal(err)
		}
		return l
	}
	if err := d.anew(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := row()
	d.alive.at = time.Now().Add(time.Hour) // long good
	if err := d.Alive(t.Context()); err != nil || !row().At.Equal(first.At) {
		t.Errorf("written again, or %v", err)
	}
}
