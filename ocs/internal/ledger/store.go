package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/clock"
	"github.com/dialtone-ims/dialtone/ocs/internal/schema"
	"github.com/dialtone-ims/dialtone/pkg/database"
)

// Store stores the ledger, and whatever must change together with it.
type Store struct {
	db            *database.Database
	clock         clock.Clock
	turn          *semaphore.Weighted // of writers: first come, first served
	revenue, cash Account
	forward       Account

	accounts   *database.Table[Account]
	identities *database.Table[Identity]
	movements  *database.Table[Movement]

	kept *knowledge // of a file, what is known between two transactions; whoever has the turn has it

	sums     *Figure[Sums]
	auditing sync.Mutex
	audited  uint64 // the last movement included in sum
	sum      int64

	rolling sync.Mutex
	rolled  uint64 // the last movement that Roll need not look at again
}

const (
	// writers is the number of concurrent transactions on PostgreSQL. It runs one after the other, and the next are ready.
	writers = 4
	// lockWait is how long another process may hold a file.
	lockWait = 5 * time.Second
	// cache is how many octets of a file its writer keeps.
	cache = 32 << 20
)

// Options are what a Store may be opened with.
type Options struct {
	Clock clock.Clock // default: the machine's
	// Volatile is a ledger that lasts as long as the machine's power, and is faster for it: what was answered is in the file, also after the
	// process was killed, but may not be on the disk yet.
	Volatile bool
}

// Open opens the database, and creates it if it does not exist. dsn is a path, or postgres://. There may be one set of options.
func Open(dsn string, options ...Options) (*Store, error) {
	var o Options
	if len(options) > 0 {
		o = options[0]
	}

	// What was answered is on the disk, even after a loss of power.
	db, err := database.Open(database.Config{
		DSN: dsn, Writers: writers + 1, LockWait: lockWait, Durable: !o.Volatile, Cache: cache, // one writer is for Alive
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}

	s := &Store{db: db, clock: cmp.Or[clock.Clock](o.Clock, clock.System{}), turn: semaphore.NewWeighted(1)}
	if db.Shared {
		s.turn = semaphore.NewWeighted(writers)
	}

	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), s.Close())
	}

	return s, nil
}

func (s *Store) prepare() error {
	err := s.db.Migrate(context.Background(), schema.OCS)
	if err != nil {
		return err
	}

	s.sums = NewFigure(func(ctx context.Context) (sums Sums, err error) {
		sums.Balances, sums.Entries, err = s.Sum(ctx)
		return sums, err
	})

	if s.accounts, err = database.NewTable[Account](s.db); err != nil {
		return err
	}

	if s.identities, err = database.NewTable[Identity](s.db); err != nil {
		return err
	}

	if s.movements, err = database.NewTable[Movement](s.db); err != nil {
		return err
	}

	return s.Update(context.Background(), func(tx Tx) error { // one OCS at a time, if several start
		owned := []*Account{&s.cash, &s.revenue, &s.forward} // in this order in every new ledger, and wherever it is shown
		for i, kind := range []string{cash, Revenue, forward} {
			*owned[i] = Account{Name: Network, Kind: kind, Created: s.Now()}
			if err := tx.Where("name = ? AND kind = ?", Network, kind).FirstOrCreate(owned[i]).Error; err != nil {
				return err
			}
		}

		return seal(tx.DB)
	})
}

// Clock returns the clock that the ledger is kept by.
func (s *Store) Clock() clock.Clock { return s.clock }

// Now returns the time, in UTC.
func (s *Store) Now() time.Time { return s.clock.Now().UTC() }

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Shared reports whether other OCSs may use the same ledger.
func (s *Store) Shared() bool { return s.db.Shared }

// Alive reports whether the database can be read and written.
func (s *Store) Alive(ctx context.Context) error { return s.db.Alive(ctx) }

// Read returns a handle for queries. They have their own connections, so that readers never keep writers waiting.
func (s *Store) Read(ctx context.Context) *gorm.DB { return s.db.Read.WithContext(ctx) }

// Database returns the database, for tables that change with the ledger.
func (s *Store) Database() *database.Database { return s.db }

// Tx is one transaction on the ledger: all of it is on the disk, or nothing has happened.
type Tx struct {
	*gorm.DB
	store *Store
	about *knowledge
}

// Now returns the time by the ledger's clock, in UTC.
func (tx Tx) Now() time.Time { return tx.store.Now() }

// oneAtATime is the key of the PostgreSQL lock held while the ledger changes: by one transaction that may change anything, or by those that
// serve requests and lock what they change.
const oneAtATime = 0x6469616c746f6e65

// Update runs f in a transaction. Nothing else changes meanwhile, in this process or another: a balance read by f holds until it is done,
// and money cannot be spent twice. Writers are served in the order in which they come.
func (s *Store) Update(ctx context.Context, f func(tx Tx) error) error {
	return s.update(ctx, func() { s.kept = nil }, f)
}

// Tidy is an Update that removes what no request looks for, so that what is known of the rest stays right.
func (s *Store) Tidy(ctx context.Context, f func(tx Tx) error) error {
	return s.update(ctx, func() {}, f)
}

// change is an Update of one account, and of nothing else that is known.
func (s *Store) change(ctx context.Context, name string, f func(tx Tx) error) error {
	return s.update(ctx, func() {
		if s.kept != nil {
			delete(s.kept.purses, name)
		}
	}, f)
}

// update runs f in a transaction. Forget drops what is not right any more of what is known of a file.
func (s *Store) update(ctx context.Context, forget func(), f func(tx Tx) error) error {
	if err := s.turn.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("ledger: waiting for its turn: %w", err)
	}
	defer s.turn.Release(1)

	if !s.db.Shared {
		forget()
	}

	return s.db.Update(ctx, func(db *gorm.DB) error {
		if err := s.db.Lock(db, oneAtATime); err != nil {
			return err
		}

		return f(Tx{db, s, newKnowledge()})
	})
}
