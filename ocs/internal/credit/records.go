// Package credit is the credit-control server (RFC 8506 §7, TS 32.299 §6.3): what a CCR does to a session and to money. Each
// request is one transaction of the ledger, its answer included, so that the same request again moves nothing, before and
// after any crash.
package credit

import (
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// Session is a charging session from its CCR Initial to its CCR Terminate.
type Session struct {
	ID           string    `gorm:"primaryKey" json:"id"` // Session-Id
	Account      string    `gorm:"index" json:"account"`
	Called       string    `json:"called"`
	Calling      string    `json:"calling"`
	ICID         string    `json:"icid"`
	CallID       string    `json:"call_id"`
	Rate         string    `json:"-"` // the rate that it began with, as JSON
	Used         uint64    `json:"used_seconds"`
	Granted      uint64    `json:"granted_seconds"` // of the quota that is out
	Charged      int64     `json:"charged"`
	Reserved     int64     `json:"reserved"`
	Reservations int64     `json:"reserved_in_all"`
	Returned     int64     `json:"returned"`
	Number       uint32    `json:"request_number"`
	Started      time.Time `json:"started"`
	Answered     time.Time `json:"answered"`              // as far as the reports tell
	Expires      time.Time `gorm:"index" json:"expires"`  // supervision: closed then if nothing is heard
	Uncollected  int64     `json:"uncollected,omitempty"` // used beyond what could be paid

	rate rating.Rate
}

// Reply is the answer that was given to a request, kept for the same request again.
type Reply struct {
	Session string    `gorm:"primaryKey"`
	Type    uint32    `gorm:"primaryKey;autoIncrement:false"`
	Number  uint32    `gorm:"primaryKey;autoIncrement:false"`
	Answer  string    // JSON of the ro.CCA
	At      time.Time `gorm:"index"`
}

// CDR is the record of one session or event.
type CDR struct {
	ID          uint64    `gorm:"primaryKey" json:"id"`
	Session     string    `gorm:"index" json:"session"`
	Account     string    `gorm:"index" json:"account"`
	Kind        string    `json:"kind"` // call, missed call, message
	Calling     string    `json:"calling"`
	Called      string    `json:"called"`
	ICID        string    `json:"icid"`
	CallID      string    `json:"call_id"`
	Started     time.Time `json:"started"`
	Answered    time.Time `json:"answered"`
	Ended       time.Time `json:"ended"`
	Duration    uint64    `json:"duration_seconds"` // from start to end
	Billed      uint64    `json:"billed_seconds"`
	Amount      int64     `json:"amount"`
	Reserved    int64     `json:"reserved_in_all"`
	Returned    int64     `json:"returned"`
	Uncollected int64     `json:"uncollected,omitempty"`
	Cause       string    `json:"cause"`
}

// StoredTariff is a price list as it is kept.
type StoredTariff struct {
	Name    string `gorm:"primaryKey"`
	Rates   string // JSON
	Changed time.Time
}

// Tables are what the ledger keeps for this package.
func Tables() []any { return []any{&Session{}, &Reply{}, &CDR{}, &StoredTariff{}} }
