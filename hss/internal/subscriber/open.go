package subscriber

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver behind gorm's dialect

	"github.com/dialtone-ims/dialtone/hss/internal/vault"
)

// Config says where subscribers are kept.
type Config struct {
	DSN     string // "postgres://…", or the path of a SQLite file
	KeyFile string // the vault's keys; made when the database is new
	IND     uint64 // of the sequence numbers that this HSS gives out (TS 33.102 annex C.1.1.1), 0 to 31
}

// Store holds the subscribers. SQLite takes one writer at a time, so its writes have a connection of their own.
type Store struct {
	write, read *gorm.DB
	vault       *vault.Vault
	ind         uint64
	log         *slog.Logger
	turn        chan struct{} // held by the one Update that runs; SQLite has one writer
	cache       *cache        // nil where others write too
	file        bool
	lock        *os.File // of a file: no other HSS may have it open
}

// lockWait is how long a statement waits for another process's lock: less than the S-CSCF waits for its answer.
const lockWait = 2 * time.Second

// oneAtATime is the key of PostgreSQL's lock under which tables are made.
const oneAtATime = 0x6469616c687373

// connections to PostgreSQL.
const connections = 16

// Open opens the store, and makes it if there is none.
func Open(ctx context.Context, c Config, log *slog.Logger) (*Store, error) {
	s := &Store{ind: c.IND, log: log, turn: make(chan struct{}, 1)}

	if err := s.connect(c.DSN); err != nil {
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}

		return nil, fmt.Errorf("subscriber database: %w", err)
	}

	if err := s.prepare(ctx, c); err != nil {
		s.disconnect()
		return nil, err
	}

	return s, nil
}

func (s *Store) connect(dsn string) error {
	settings := &gorm.Config{
		Logger:                 logger.Discard, // errors are returned, and logged once where they end
		PrepareStmt:            true,
		SkipDefaultTransaction: true,
		TranslateError:         false,
	}

	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		db, err := gorm.Open(postgres.Open(dsn), settings)
		if err != nil {
			return err
		}

		s.write, s.read, s.turn = db, db, make(chan struct{}, connections)

		return pool(db, connections)
	}

	s.file = true

	if err := os.MkdirAll(filepath.Dir(dsn), 0o700); err != nil {
		return err
	}

	s.cache = newCache()

	var err error
	if s.lock, err = lockFile(dsn + ".lock"); err != nil {
		return err
	}

	if s.write, err = openFile(dsn, 1, "immediate", settings); err != nil {
		return err
	}

	if s.read, err = openFile(dsn, 4, "deferred", settings, "query_only(1)"); err != nil {
		return errors.Join(err, closeDatabase(s.write))
	}

	return nil
}

// lockFile takes a lock that ends with the process. Two HSSs on one file would each believe what they remember.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}

	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another process holds %s (two HSSs need PostgreSQL): %w", path, err), file.Close())
	}

	return file, nil
}

func openFile(path string, connections int, lock string, settings *gorm.Config, pragmas ...string) (*gorm.DB, error) {
	query := url.Values{"_txlock": {lock}, "_pragma": append([]string{
		fmt.Sprintf("busy_timeout(%d)", lockWait.Milliseconds()), "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
	}, pragmas...)}

	own := *settings

	db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: "file:" + path + "?" + query.Encode()}, &own)
	if err != nil {
		return nil, err
	}

	return db, pool(db, connections)
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

func (s *Store) prepare(ctx context.Context, c Config) error {
	models := []any{
		&Subscription{}, &PrivateIdentity{}, &RegistrationSet{}, &Registration{}, &PublicIdentity{}, &ServiceProfile{},
		&SharedFilterCriteria{}, &Push{}, &mark{},
	}

	err := s.write.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		if !s.file { // one HSS at a time, where several start
			if err := db.Exec("SELECT pg_advisory_xact_lock(?)", int64(oneAtATime)).Error; err != nil {
				return err
			}
		}

		return db.AutoMigrate(models...)
	})
	if err != nil {
		return fmt.Errorf("subscriber database: %w", err)
	}

	if s.file { // gives nobody else the hashes, names and locations of the users
		if err := os.Chmod(c.DSN, 0o600); err != nil {
			return fmt.Errorf("subscriber database: %w", err)
		}
	}

	if err := s.unlock(ctx, c.KeyFile); err != nil {
		return err
	}

	if err := s.recoverSQN(ctx); err != nil {
		return err
	}

	return s.warm(ctx)
}

// Close ends all use of the database and leaves the note that nothing was lost.
func (s *Store) Close() error {
	err := s.write.Save(&mark{Name: running, Value: "no"}).Error

	return errors.Join(err, s.disconnect())
}

func (s *Store) disconnect() error {
	err := closeDatabase(s.write)
	if s.read != s.write {
		err = errors.Join(err, closeDatabase(s.read))
	}

	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}

	return err
}

func closeDatabase(db *gorm.DB) error {
	handle, err := db.DB()
	if err != nil {
		return err
	}

	return handle.Close()
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int

	return s.read.WithContext(ctx).Raw("SELECT 1").Scan(&one).Error
}

// mark is a note of the store to itself.
type mark struct {
	Name  string `gorm:"primaryKey"`
	Value string
}

const running = "running"

// unlock opens the key file, or makes one for a database that holds no secrets yet. A wrong key file is found here, not at
// the first registration; values sealed with an older key are sealed again.
func (s *Store) unlock(ctx context.Context, keyFile string) error {
	var identities []*PrivateIdentity
	if err := s.read.WithContext(ctx).Order("id").Find(&identities).Error; err != nil {
		return fmt.Errorf("subscriber database: %w", err)
	}

	v, err := vault.Open(keyFile)
	if vault.Missing(err) {
		if len(identities) > 0 {
			return fmt.Errorf("%w; the database holds %d identities sealed with its keys: restore it", err, len(identities))
		}

		v, err = vault.Create(keyFile)
	}

	if err != nil {
		return err
	}

	s.vault = v

	return s.transaction(ctx, func(tx *gorm.DB) error {
		for _, p := range identities {
			if err := s.reseal(tx, p); err != nil {
				return fmt.Errorf("subscriber database: %w", err)
			}
		}

		return nil
	})
}

func (s *Store) transaction(ctx context.Context, f func(tx *gorm.DB) error) error {
	return s.write.WithContext(ctx).Transaction(f)
}

// snapshot reads from one state of the database.
func (s *Store) snapshot(ctx context.Context, f func(tx *gorm.DB) error) error {
	options := &sql.TxOptions{ReadOnly: !s.file}
	if !s.file {
		options.Isolation = sql.LevelRepeatableRead
	}

	return s.read.WithContext(ctx).Transaction(f, options)
}
