// Package schema migrates the tables of the OCS in counted steps. A step is never changed once a version has it; the types here
// are those of their step, not those that the program works with.
package schema

import (
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/pkg/database"
)

// OCS is the schema of the OCS.
var OCS = database.Schema{Name: "ocs", Migrations: []database.Migration{
	{Name: "tables", Do: tables},
	{Name: "a movement is one row", Do: folded},
	{Name: "answers in their order", Do: answers},
	{Name: "charges of CDRs", Do: charges},
}}

// tables creates the tables, or completes those of a version that did not count its steps.
func tables(tx *gorm.DB) error {
	if err := ledger(tx); err != nil {
		return err
	}

	return credit(tx)
}

// charges adds to CDRs how their amounts were found.
func charges(tx *gorm.DB) error {
	type CDR struct {
		Charges string // JSON
	}

	return tx.Migrator().AddColumn(&CDR{}, "Charges")
}

func ledger(tx *gorm.DB) error {
	type Account struct {
		ID      uint64 `gorm:"primaryKey"`
		Name    string `gorm:"uniqueIndex:account_name"`
		Kind    string `gorm:"uniqueIndex:account_name"`
		Balance int64
		Tariff  string
		Blocked bool
		Created time.Time
		Closed  *time.Time
	}

	type Identity struct {
		URI     string `gorm:"primaryKey"`
		Account string `gorm:"index"`
	}

	type Entry struct {
		ID         uint64 `gorm:"primaryKey"`
		MovementID uint64 `gorm:"index"`
		AccountID  uint64 `gorm:"index"`
		Amount     int64
	}

	type Movement struct {
		ID        uint64    `gorm:"primaryKey"`
		At        time.Time `gorm:"index"`
		Kind      string
		Session   string  `gorm:"index"`
		Reference *string `gorm:"uniqueIndex"`
		Note      string
		Entries   []Entry // a foreign key
	}

	type SpentReference struct {
		Reference string `gorm:"primaryKey"`
		Account   uint64
		Amount    int64
	}

	return tx.AutoMigrate(&Account{}, &Identity{}, &Movement{}, &Entry{}, &SpentReference{})
}

func credit(tx *gorm.DB) error {
	type Session struct {
		ID             string `gorm:"primaryKey"`
		Account        string `gorm:"index"`
		ClientHost     string
		ClientRealm    string
		ServiceContext string
		Method         string
		Terminating    bool
		Called         string
		Calling        string
		ICID           string
		CallID         string
		Tariff         string
		TariffVersion  uint32
		Services       string // JSON
		Used           uint64
		Granted        uint64
		Charged        int64
		Reserved       int64
		Reservations   int64
		Returned       int64
		Uncollected    int64
		Unrated        string // JSON
		Number         uint32
		Exhausted      bool
		Started        time.Time
		Answered       *time.Time
		Expires        time.Time `gorm:"index"`
	}

	type Reply struct {
		Session string `gorm:"primaryKey"`
		Type    uint32 `gorm:"primaryKey;autoIncrement:false"`
		Number  uint32 `gorm:"primaryKey;autoIncrement:false"`
		Host    string
		Realm   string
		Answer  string
		At      time.Time `gorm:"index"`
	}

	type CDR struct {
		ID             uint64 `gorm:"primaryKey"`
		Session        string `gorm:"index"`
		Account        string `gorm:"index"`
		Kind           string
		Terminating    bool
		Calling        string
		Called         string
		ICID           string
		CallID         string
		Started        time.Time
		Answered       *time.Time
		Ended          time.Time `gorm:"index"`
		Duration       uint64
		Billed         uint64
		Octets         uint64
		Events         uint64
		Amount         int64
		Reserved       int64
		Returned       int64
		Uncollected    int64
		Unrated        string
		Tariff         string
		TariffVersion  uint32
		ServiceContext string
		ClientHost     string
		ClientRealm    string
		Correlation    string
		Refunds        string
		Cause          string
		CauseCode      *int32
		SIPStatus      int
		Q850           int
	}

	type TariffVersion struct {
		Name    string `gorm:"primaryKey"`
		Version uint32 `gorm:"primaryKey;autoIncrement:false"`
		Rates   string
		Terms   string
		Created time.Time
	}

	return tx.AutoMigrate(&Session{}, &Reply{}, &CDR{}, &TariffVersion{})
}
