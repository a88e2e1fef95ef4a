package credit

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// Config is how much is granted at a time, for how long, and what happens at the end.
type Config struct {
	Quota           time.Duration `yaml:"quota"`            // granted when the request names no amount
	MaxQuota        time.Duration `yaml:"max_quota"`        // granted at most
	QuotaOctets     uint64        `yaml:"quota_octets"`     // the same for volume
	MaxQuotaOctets  uint64        `yaml:"max_quota_octets"` //
	QuotaEvents     uint64        `yaml:"quota_events"`     // and for events that are reserved
	MaxQuotaEvents  uint64        `yaml:"max_quota_events"` //
	QuotaMoney      uint64        `yaml:"quota_money"`      // and for money that the network function has rated, minor units
	MaxQuotaMoney   uint64        `yaml:"max_quota_money"`  //
	Threshold       time.Duration `yaml:"threshold"`        // Time-Quota-Threshold; 0 leaves it to the network function
	Validity        time.Duration `yaml:"validity"`         // Validity-Time of a grant
	Supervision     time.Duration `yaml:"supervision"`      // a session silent for validity plus this is closed (Tcc)
	KeepReplies     time.Duration `yaml:"keep_replies"`     // for repeated requests
	ThresholdOctets uint32        `yaml:"threshold_octets"` // Volume-Quota-Threshold; 0 as above
	KeepCDRs        time.Duration `yaml:"keep_cdrs"`        // 0: for ever
	KeepLedger      time.Duration `yaml:"keep_ledger"`      // older movements are rolled up, one per account; 0: for ever
	// FinalUnit is what the network function does after the last units; a tariff may override it.
	FinalUnit       rating.FinalUnit `yaml:"final_unit"`
	LowBalance      int64            `yaml:"low_balance"`      // Low-Balance-Indication below this; 0: never; a tariff may override it
	ShowBalance     bool             `yaml:"show_balance"`     // Remaining-Balance in answers
	Overdraft       int64            `yaml:"overdraft"`        // minor units below zero that use beyond the grant may reach
	Tariff          string           `yaml:"tariff"`           // of accounts without one
	Currency        uint32           `yaml:"currency"`         // ISO 4217 number
	Digits          int32            `yaml:"digits"`           // decimals of a minor unit
	ServiceContexts []string         `yaml:"service_contexts"` // Service-Context-Ids served; empty: all
	SessionOwner    string           `yaml:"session_owner"`    // who may continue a session: host or realm
	Numbering       rating.Numbering `yaml:"numbering"`        // how called numbers are dialled
}

// The owners of sessions and events.
const (
	ownerHost  = "host"  // the network function that began it, by its Origin-Host
	ownerRealm = "realm" // any of its Origin-Realm
)

// DefaultConfig returns the configuration of the lab.
func DefaultConfig() Config {
	return Config{
		Quota: time.Minute, MaxQuota: time.Hour, QuotaOctets: 10 << 20, MaxQuotaOctets: 1 << 30, QuotaEvents: 1, MaxQuotaEvents: 1000,
		QuotaMoney: 100, MaxQuotaMoney: 100_000,
		Validity: time.Hour, Supervision: 5 * time.Minute, KeepReplies: 6 * time.Hour, FinalUnit: rating.FinalUnit{Action: rating.Terminate},
		Tariff: "standard", Currency: 978, Digits: 2, SessionOwner: ownerHost, Numbering: rating.Numbering{International: []string{"00"}},
	}
}

// Validate returns an error if the configuration cannot work.
func (c *Config) Validate() error {
	const longest, shortest = math.MaxUint32 * time.Second, 24 * time.Hour

	switch {
	case c.Quota < time.Second || c.MaxQuota < c.Quota || c.MaxQuota > longest:
		return errors.New("credit: quota must be a second or more, max_quota not below it")
	case c.QuotaOctets == 0 || c.MaxQuotaOctets < c.QuotaOctets || c.MaxQuotaOctets > rating.MaxUnits:
		return errors.New("credit: quota_octets must be positive, max_quota_octets not below it")
	case c.QuotaEvents == 0 || c.MaxQuotaEvents < c.QuotaEvents || c.MaxQuotaEvents > rating.MaxUnits:
		return errors.New("credit: quota_events must be positive, max_quota_events not below it")
	case c.QuotaMoney == 0 || c.MaxQuotaMoney < c.QuotaMoney || c.MaxQuotaMoney > rating.MaxPrice:
		return errors.New("credit: quota_money must be positive, max_quota_money not below it")
	case c.Threshold < 0 || c.Threshold >= c.Quota:
		return errors.New("credit.threshold: must be below quota")
	case c.Validity < time.Second || c.Validity > longest || c.Supervision < time.Second || c.KeepReplies < time.Minute:
		return errors.New("credit: validity and supervision must be a second or more, keep_replies a minute")
	case uint64(c.ThresholdOctets) >= c.QuotaOctets:
		return errors.New("credit.threshold_octets: must be below quota_octets")
	case c.LowBalance < 0 || c.LowBalance > rating.MaxPrice:
		return errors.New("credit.low_balance: must not be negative")
	case c.KeepCDRs != 0 && c.KeepCDRs < shortest || c.KeepLedger != 0 && c.KeepLedger < shortest:
		return errors.New("credit: keep_cdrs and keep_ledger must be a day or more, or 0")
	case c.Overdraft < 0 || c.Overdraft > rating.MaxPrice:
		return errors.New("credit.overdraft: must not be negative")
	case c.SessionOwner != ownerHost && c.SessionOwner != ownerRealm:
		return errors.New("credit.session_owner: host or realm")
	case c.Digits < 0 || c.Digits > 9:
		return errors.New("credit.digits: between 0 and 9")
	}

	if err := c.FinalUnit.Validate(); err != nil {
		return fmt.Errorf("credit.%w", err)
	}

	return c.Numbering.Validate()
}
