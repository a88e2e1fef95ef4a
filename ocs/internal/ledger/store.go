package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver behind gorm's dialect
)

// Store keeps the ledger, and beside it whatever else must change together with it.
type Store struct {
	write, read   *gorm.DB
	shared        bool // a server that other processes use too
	revenue, cash Account
	forward       Account

	auditing sync.Mutex
	audited  uint64 // the last entry that is in sum
	sum      int64
}

// connections to PostgreSQL.
const connections = 16

// Open opens the database, and makes it if there is none. dsn is a path, or postgres://. extra are further tables.
func Open(dsn string, extra ...any) (*Store, error) {
	s := &Store{}

	if err := s.connect(dsn); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), s.Close())
	}

	if err := s.prepare(extra); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), s.Close())
	}

	return s, nil
}

func (s *Store) prepare(extra []any) error {
	return s.Update(context.Background(), func(tx Tx) error { // one OCS at a time, where several start
		if err := tx.AutoMigrate(append([]any{&Account{}, &Identity{}, &Movement{}, &Entry{}, &SpentReference{}}, extra...)...); err != nil {
			return err
		}

		for kind, own := range map[string]*Account{Revenue: &s.revenue, Cash: &s.cash, Forward: &s.forward} {
			*own = Account{Name: Network, Kind: kind, Created: time.Now().UTC()}
			if err := tx.Where("name = ? AND kind = ?", Network, kind).FirstOrCreate(own).Error; err != nil {
				return err
			}
		}

		return seal(tx.DB)
	})
}

func (s *Store) connect(dsn string) (err error) {
	settings := func() *gorm.Config {
		return &gorm.Config{Logger: logger.Discard, PrepareStmt: true, SkipDefaultTransaction: true}
	}

	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		s.shared = true

		if s.write, err = gorm.Open(postgres.Open(dsn), settings()); err != nil {
			return err
		}

		s.read = s.write

		return pool(s.write, connections)
	}

	if err := os.MkdirAll(filepath.Dir(dsn), 0o700); err != nil {
		return err
	}

	open := func(lock string, connections int) (*gorm.DB, error) {
		// synchronous=FULL: what was answered is on the disk, also after a loss of power. Times are text, all in UTC, so that they
		// can be compared.
		query := url.Values{"_txlock": {lock}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_time_format": {"sqlite"}}

		db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: "file:" + dsn + "?" + query.Encode()}, settings())
		if err != nil {
			return nil, err
		}

		return db, pool(db, connections)
	}

	if s.write, err = open("immediate", 1); err != nil {
		return err
	}

	if s.read, err = open("deferred", 4); err != nil {
		return err
	}

	return os.Chmod(dsn, 0o600) // who calls whom is nobody else's business
}

func pool(db *gorm.DB, connections int) error {
	handle, err := db.DB()
	if err != nil {
		return err
	}

	handle.SetMaxOpenConns(connections)
	handle.SetMaxIdleConns(connections)

	return nil
}

// Close closes the database.
func (s *Store) Close() error {
	var failed error

	for _, db := range []*gorm.DB{s.write, s.read} {
		if db == nil {
			continue
		}

		if handle, err := db.DB(); err == nil {
			failed = errors.Join(failed, handle.Close()) // closing twice is no error
		}
	}

	return failed
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int

	return s.read.WithContext(ctx).Raw("SELECT 1").Scan(&one).Error
}

// Read is for queries.
func (s *Store) Read(ctx context.Context) *gorm.DB { return s.read.WithContext(ctx) }

// Tx is one transaction on the ledger: all of it happens, and is on the disk, or none of it does.
type Tx struct {
	*gorm.DB
	store *Store
}

// oneAtATime is the key of PostgreSQL's lock under which the ledger is changed.
const oneAtATime = 0x6469616c746f6e65

// Update runs f in a transaction. No other one changes anything meanwhile, in this process or another: what f has read of a
// balance holds until it is done, and money cannot be spent twice.
func (s *Store) Update(ctx context.Context, f func(tx Tx) error) error {
	return s.write.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		if s.shared {
			if err := db.Exec("SELECT pg_advisory_xact_lock(?)", int64(oneAtATime)).Error; err != nil {
				return err
			}
		}

		return f(Tx{db, s})
	})
}
