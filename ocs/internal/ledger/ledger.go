// Package ledger is the money of the OCS: accounts, and an append-only record of every movement between them. Each movement
// has entries that add up to zero, so that the sum of all accounts is zero at every instant.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver behind gorm's dialect
)

// Kinds of accounts.
const (
	Subscriber = "subscriber" // what a subscriber can spend
	Reserved   = "reserved"   // what is set aside for the subscriber's sessions
	Revenue    = "revenue"    // what was earned
	Cash       = "cash"       // where top-ups come from: as negative as all others are positive
)

// Account is one account. Balance is the sum of its entries, kept beside them.
type Account struct {
	ID      uint64    `gorm:"primaryKey" json:"id"`
	Name    string    `gorm:"uniqueIndex:account_name" json:"name"`
	Kind    string    `gorm:"uniqueIndex:account_name" json:"kind"`
	Balance int64     `json:"balance"` // minor units
	Tariff  string    `json:"tariff,omitempty"`
	Blocked bool      `json:"blocked,omitempty"`
	Created time.Time `json:"created"`
}

// Identity is a way to name who pays: "tel:+15551234", "sip:…", "imsi:…".
type Identity struct {
	URI     string `gorm:"primaryKey"`
	Account string `gorm:"index"` // name
}

// Movement is one step of money, for a reason.
type Movement struct {
	ID      uint64    `gorm:"primaryKey" json:"id"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // top-up, reserve, debit, release, refund
	Session string    `gorm:"index" json:"session,omitempty"`
	Note    string    `json:"note,omitempty"`
	Entries []Entry   `json:"entries"`
}

// Entry is what a movement does to one account.
type Entry struct {
	ID         uint64 `gorm:"primaryKey" json:"-"`
	MovementID uint64 `gorm:"index" json:"-"`
	AccountID  uint64 `gorm:"index" json:"account"`
	Amount     int64  `json:"amount"`
}

var (
	// ErrUnknown is the error of an account that does not exist.
	ErrUnknown = errors.New("there is no such account")
	// ErrExists is the error of an account, or an identity, that is there already.
	ErrExists = errors.New("it exists already")
)

// Store keeps the ledger, and beside it whatever else must change together with it.
type Store struct{ write, read *gorm.DB }

// Open opens the database, and makes it if there is none. dsn is a path, or postgres://. extra are further tables.
func Open(dsn string, extra ...any) (*Store, error) {
	s := &Store{}

	var err error
	if s.write, s.read, err = connect(dsn); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}

	tables := append([]any{&Account{}, &Identity{}, &Movement{}, &Entry{}}, extra...)
	if err := s.write.AutoMigrate(tables...); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), s.Close())
	}

	for _, kind := range []string{Revenue, Cash} {
		own := Account{Name: "network", Kind: kind, Created: time.Now()}
		if err := s.write.Where("name = ? AND kind = ?", own.Name, own.Kind).FirstOrCreate(&own).Error; err != nil {
			return nil, errors.Join(fmt.Errorf("ledger: %w", err), s.Close())
		}
	}

	return s, nil
}

func connect(dsn string) (write, read *gorm.DB, err error) {
	settings := func() *gorm.Config {
		return &gorm.Config{Logger: logger.Discard, PrepareStmt: true, SkipDefaultTransaction: true}
	}

	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		write, err = gorm.Open(postgres.Open(dsn), settings())
		return write, write, err
	}

	if err := os.MkdirAll(filepath.Dir(dsn), 0o700); err != nil {
		return nil, nil, err
	}

	open := func(lock string, connections int) (*gorm.DB, error) {
		query := url.Values{"_txlock": {lock}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"}}

		db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: "file:" + dsn + "?" + query.Encode()}, settings())
		if err != nil {
			return nil, err
		}

		handle, err := db.DB()
		if err != nil {
			return nil, err
		}

		handle.SetMaxOpenConns(connections)

		return db, nil
	}

	if write, err = open("immediate", 1); err != nil {
		return nil, nil, err
	}

	read, err = open("deferred", 4)

	return write, read, err
}

// Close closes the database.
func (s *Store) Close() error {
	var failed error

	for _, db := range []*gorm.DB{s.write, s.read} {
		if db == nil {
			continue
		}

		handle, err := db.DB()
		if err == nil {
			err = handle.Close()
		}

		failed = errors.Join(failed, err)
	}

	return failed
}

// Read is for queries.
func (s *Store) Read(ctx context.Context) *gorm.DB { return s.read.WithContext(ctx) }

// Tx is one transaction on the ledger: all of it happens, on disk, or none.
type Tx struct{ *gorm.DB }

// Update runs f in a transaction. No other one changes anything meanwhile.
func (s *Store) Update(ctx context.Context, f func(tx Tx) error) error {
	return s.write.WithContext(ctx).Transaction(func(db *gorm.DB) error { return f(Tx{db}) })
}

// Account finds one by name and kind.
func (tx Tx) Account(name, kind string) (*Account, error) {
	a := new(Account)
	err := tx.Where("name = ? AND kind = ?", name, kind).Take(a).Error

	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
	}

	return a, err
}

// Payer finds the account of the first of these identities that has one.
func (tx Tx) Payer(uris []string) (*Account, error) {
	for _, uri := range uris {
		i := new(Identity)

		switch err := tx.Where("uri = ?", uri).Take(i).Error; {
		case errors.Is(err, gorm.ErrRecordNotFound):
			continue
		case err != nil:
			return nil, err
		}

		return tx.Account(i.Account, Subscriber)
	}

	return nil, fmt.Errorf("%w: %s", ErrUnknown, strings.Join(uris, ", "))
}

// Move takes an amount from one account to another. Zero moves nothing and leaves no trace.
func (tx Tx) Move(kind, session, note string, from, to *Account, amount int64) error {
	if amount == 0 {
		return nil
	}

	m := Movement{At: time.Now(), Kind: kind, Session: session, Note: note, Entries: []Entry{
		{AccountID: from.ID, Amount: -amount}, {AccountID: to.ID, Amount: amount},
	}}
	if err := tx.Create(&m).Error; err != nil {
		return err
	}

	for _, e := range m.Entries {
		if err := tx.Exec("UPDATE accounts SET balance = balance + ? WHERE id = ?", e.Amount, e.AccountID).Error; err != nil {
			return err
		}
	}

	from.Balance -= amount
	to.Balance += amount

	return nil
}

// Sum is that of all balances and that of all entries. Both are zero.
func (s *Store) Sum(ctx context.Context) (balances, entries int64, err error) {
	err = s.Read(ctx).Raw("SELECT COALESCE((SELECT SUM(balance) FROM accounts), 0), COALESCE((SELECT SUM(amount) FROM entries), 0)").Row().Scan(&balances, &entries)

	return balances, entries, err
}

// Add makes a subscriber's account with its identities and first money.
func (s *Store) Add(ctx context.Context, name, tariff string, identities []string, amount int64) error {
	return s.Update(ctx, func(tx Tx) error {
		var n int64
		if err := tx.Model(&Account{}).Where("name = ?", name).Count(&n).Error; err != nil {
			return err
		}

		if n > 0 {
			return fmt.Errorf("account %s: %w", name, ErrExists)
		}

		for _, kind := range []string{Subscriber, Reserved} {
			if err := tx.Create(&Account{Name: name, Kind: kind, Tariff: tariff, Created: time.Now()}).Error; err != nil {
				return err
			}
		}

		for _, uri := range identities {
			if err := tx.Model(&Identity{}).Where("uri = ?", uri).Count(&n).Error; err != nil {
				return err
			}

			if n > 0 {
				return fmt.Errorf("identity %s: %w", uri, ErrExists)
			}

			if err := tx.Create(&Identity{URI: uri, Account: name}).Error; err != nil {
				return err
			}
		}

		return tx.topUp(name, amount, "first")
	})
}

// TopUp brings money from outside.
func (s *Store) TopUp(ctx context.Context, name string, amount int64, note string) error {
	return s.Update(ctx, func(tx Tx) error { return tx.topUp(name, amount, note) })
}

func (tx Tx) topUp(name string, amount int64, note string) error {
	account, err := tx.Account(name, Subscriber)
	if err != nil {
		return err
	}

	cash, err := tx.Account("network", Cash)
	if err != nil {
		return err
	}

	return tx.Move("top-up", "", note, cash, account, amount)
}
