// Package ledger stores the money of the OCS: accounts, and an append-only record of every movement between them. Each movement takes from
// one account what it gives to another, so that the sum of all accounts is zero at every instant. Money is in whole minor units of one
// currency.
package ledger

import (
	"errors"
	"time"

	"gorm.io/gorm"
)

// The kinds of accounts.
const (
	Subscriber = "subscriber"      // what a subscriber can spend
	Reserved   = "reserved"        // what is reserved for the subscriber's sessions
	Revenue    = "revenue"         // what was earned
	cash       = "cash"            // the source of top-ups: as negative as all others are positive
	forward    = "brought forward" // the other side of openings: zero in total
)

// Network is the owner of the accounts that are no subscriber's.
const Network = "network"

// Account is one account. Balance is the sum of its entries, kept beside them in the same transaction.
type Account struct {
	ID      uint64     `gorm:"primaryKey"               json:"id"`
	Name    string     `gorm:"uniqueIndex:account_name" json:"name"`
	Kind    string     `gorm:"uniqueIndex:account_name" json:"kind"`
	Balance int64      `                                json:"balance"` // minor units
	Tariff  string     `                                json:"tariff,omitempty"`
	Blocked bool       `                                json:"blocked,omitempty"`
	Created time.Time  `                                json:"created"`
	Closed  *time.Time `                                json:"closed,omitempty"`

	owner uint64 // the subscriber's account that this is, or that it holds the reservations of
}

// Identity is a name of the account that pays: "tel:+15551234", "sip:…", "imsi:…".
type Identity struct {
	URI     string `gorm:"primaryKey"`
	Account string `gorm:"index"` // name
}

// Movement is one step of money, for a reason: an amount that one account gives to another.
type Movement struct {
	ID        uint64    `gorm:"primaryKey"                                                 json:"id"`
	At        time.Time `                                                                  json:"at"`
	Kind      string    `                                                                  json:"kind"` // top-up, reserve, debit, …
	Session   string    `gorm:"index"                                                      json:"session,omitempty"`
	Reference *string   `gorm:"uniqueIndex:movement_reference,where:reference IS NOT NULL" json:"reference,omitempty"` // of a top-up
	Note      string    `                                                                  json:"note,omitempty"`
	// Owner finds the history of an account: the subscriber's that it concerns, or whose reservations; else the one of an opening.
	Owner       uint64 `gorm:"index;index:movement_opening,where:kind = 'opening'" json:"-"`
	FromAccount uint64 `                                                           json:"-"`
	ToAccount   uint64 `                                                           json:"-"`
	Amount      int64  `                                                           json:"-"`

	Entries []Entry `gorm:"-" json:"entries"` // the same by account, for who reads it: Divide
}

// Divide writes the entries.
func (m *Movement) Divide() { m.Entries = []Entry{{m.FromAccount, -m.Amount}, {m.ToAccount, m.Amount}} }

// Entry is the effect of a movement on one account.
type Entry struct {
	AccountID uint64 `json:"account"`
	Amount    int64  `json:"amount"`
}

// MaxBalance is the most an account can hold: what a JSON number represents exactly.
const MaxBalance = 1 << 53

var (
	// ErrUnknown is returned for an account that does not exist.
	ErrUnknown = errors.New("there is no such account")
	// ErrExists is returned for an account, or an identity, that already exists.
	ErrExists = errors.New("it exists already")
	// ErrInUse is returned for an account that cannot be closed while it has reservations.
	ErrInUse = errors.New("money of it is reserved for sessions")
	// ErrReference is returned for a top-up whose reference another one had.
	ErrReference = errors.New("a top-up of another account or amount had the reference")
	// ErrAmount is returned for an amount that is not positive, or too large.
	ErrAmount = errors.New("the amount must be positive, and the balance stay below 2^53")
)

// seal makes the database refuse to change or delete what is written in the ledger, whoever asks.
func seal(db *gorm.DB) error {
	const refusal = "the ledger is append-only"

	var statements []string

	if db.Dialector.Name() == "sqlite" {
		for _, change := range []string{"update", "delete"} {
			statements = append(statements, "CREATE TRIGGER IF NOT EXISTS no_"+change+"_of_movements BEFORE "+change+
				" ON movements BEGIN SELECT RAISE(ABORT, '"+refusal+"'); END")
		}
	} else {
		statements = append(statements, `CREATE OR REPLACE FUNCTION ledger_is_final() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN RAISE EXCEPTION '`+refusal+`'; END $$`,
			"CREATE OR REPLACE TRIGGER final_movements BEFORE UPDATE OR DELETE ON movements FOR EACH ROW EXECUTE FUNCTION ledger_is_final()")
	}

	for _, statement := range statements {
		if err := db.Exec(statement).Error; err != nil {
			return err
		}
	}

	return nil
}
