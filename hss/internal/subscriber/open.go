package subscriber

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/hss/internal/schema"
	"github.com/dialtone-ims/dialtone/hss/internal/vault"
	"github.com/dialtone-ims/dialtone/pkg/database"
)

// Config is where subscribers are stored.
type Config struct {
	DSN     string // "postgres://…", or the path of a SQLite file
	KeyFile string // the vault's keys; made when the database is new
	IND     uint64 // of the sequence numbers that this HSS gives out (TS 33.102 annex C.1.1.1), 0 to 31
}

// Store holds the subscribers.
type Store struct {
	db    *database.Database
	vault *vault.Vault
	ind   uint64
	log   *slog.Logger
	turn  chan struct{} // held by each Update that runs; SQLite has one writer
	cache *cache        // nil if others write too
	file  bool
	lock  *os.File // of an SQLite file, which no other HSS may have open

	watched atomic.Bool // an application server may watch somebody
	wake    func()      // called when something has been queued
}

// lockWait is how long a statement waits for another process's lock: less than the S-CSCF waits for its answer.
const lockWait = 2 * time.Second

// writers is the number of PostgreSQL connections for changes by Cx and the API.
const writers = 12

// Open opens the store, and creates it if it does not exist.
func Open(ctx context.Context, c Config, log *slog.Logger) (*Store, error) {
	s := &Store{ind: c.IND, log: log, turn: make(chan struct{}, writers), wake: func() {}}

	if err := s.connect(c.DSN); err != nil {
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}

		return nil, fmt.Errorf("subscriber database: %w", err)
	}

	if err := s.prepare(ctx, c); err != nil {
		return nil, errors.Join(err, s.disconnect())
	}

	return s, nil
}

func (s *Store) connect(dsn string) (err error) {
	s.file = !database.IsServer(dsn)

	if s.file {
		if err := os.MkdirAll(filepath.Dir(dsn), 0o700); err != nil {
			return err
		}

		if s.lock, err = lockFile(dsn + ".lock"); err != nil {
			return err
		}

		s.cache, s.turn = newCache(), make(chan struct{}, 1)
	}

	s.db, err = database.Open(database.Config{DSN: dsn, Writers: writers, LockWait: lockWait, ForeignKeys: true})

	return err
}

// lockFile takes a lock that ends with the process. Two HSSs on one file would each trust a stale cache.
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

func (s *Store) prepare(ctx context.Context, c Config) error {
	if err := s.db.Migrate(ctx, schema.HSS); err != nil {
		return fmt.Errorf("subscriber database: %w", err)
	}

	if err := s.unlock(ctx, c.KeyFile); err != nil {
		return err
	}

	if err := s.findWatches(ctx); err != nil {
		return err
	}

	return s.recoverSQN(ctx)
}

// OnQueued makes the store call wake when a transaction has queued a push. It is set before the store serves.
func (s *Store) OnQueued(wake func()) { s.wake = wake }

// Close closes the database and marks that nothing was lost.
func (s *Store) Close() error {
	err := s.db.Write.Save(&mark{Name: running, Value: "no"}).Error

	return errors.Join(err, s.disconnect())
}

func (s *Store) disconnect() error {
	err := s.db.Close()

	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}

	return err
}

// Alive returns an error unless the database answers and can be written.
func (s *Store) Alive(ctx context.Context) error {
	if err := s.db.Alive(ctx); err != nil {
		return fmt.Errorf("subscriber database: %w", err)
	}

	return nil
}

// mark is a note of the store to its next start.
type mark struct {
	Name  string `gorm:"primaryKey"`
	Value string
}

const running = "running"

// unlock opens the key file, or creates one for a database without secrets. A wrong key file is found here, not at the first registration;
// values sealed with an older key are sealed again.
func (s *Store) unlock(ctx context.Context, keyFile string) error {
	var identities []*PrivateIdentity
	if err := s.db.Read.WithContext(ctx).Order("id").Find(&identities).Error; err != nil {
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

	return s.db.Update(ctx, func(tx *gorm.DB) error {
		for _, p := range identities {
			if err := s.reseal(tx, p); err != nil {
				return fmt.Errorf("subscriber database: %w", err)
			}
		}

		return nil
	})
}
