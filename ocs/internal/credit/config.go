package credit

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Config says how much is granted at a time, for how long, and what happens at the end.
type Config struct {
	Quota           time.Duration    `yaml:"quota"`            // granted when the request names no amount
	MaxQuota        time.Duration    `yaml:"max_quota"`        // granted at most
	QuotaOctets     uint64           `yaml:"quota_octets"`     // the same for volume
	MaxQuotaOctets  uint64           `yaml:"max_quota_octets"` //
	QuotaEvents     uint64           `yaml:"quota_events"`     // and for events that are reserved
	MaxQuotaEvents  uint64           `yaml:"max_quota_events"` //
	Threshold       time.Duration    `yaml:"threshold"`        // Time-Quota-Threshold; 0 leaves it to the network function
	Validity        time.Duration    `yaml:"validity"`         // Validity-Time of a grant
	Supervision     time.Duration    `yaml:"supervision"`      // a session without a word for validity and this is closed (Tcc)
	KeepReplies     time.Duration    `yaml:"keep_replies"`     // for requests that come again
	FinalUnit       FinalUnit        `yaml:"final_unit"`       // what the network function does when the last units are used
	Overdraft       int64            `yaml:"overdraft"`        // minor units below zero that use beyond the grant may take an account to
	Tariff          string           `yaml:"tariff"`           // of accounts that name none
	Currency        uint32           `yaml:"currency"`         // ISO 4217 number
	Digits          int32            `yaml:"digits"`           // decimals of the currency that a minor unit is
	ServiceContexts []string         `yaml:"service_contexts"` // Service-Context-Ids that are served; empty: all
	Numbering       rating.Numbering `yaml:"numbering"`        // how called numbers are dialled
}

// FinalUnit is the Final-Unit-Indication that goes with the last units an account can pay (RFC 8506 §5.6).
type FinalUnit struct {
	Action   string   `yaml:"action"`           // terminate, redirect or restrict
	Redirect string   `yaml:"redirect_address"` // sip: or http: URI, or IP address
	Filters  []string `yaml:"filter_ids"`       // of the network function, for restrict
}

// DefaultConfig is right for the lab.
func DefaultConfig() Config {
	return Config{
		Quota: time.Minute, MaxQuota: time.Hour, QuotaOctets: 10 << 20, MaxQuotaOctets: 1 << 30, QuotaEvents: 1, MaxQuotaEvents: 1000,
		Validity: time.Hour, Supervision: 5 * time.Minute, KeepReplies: 6 * time.Hour, FinalUnit: FinalUnit{Action: "terminate"},
		Tariff: "standard", Currency: 978, Digits: 2, Numbering: rating.Numbering{International: []string{"00"}},
	}
}

// Validate refuses what cannot work.
func (c *Config) Validate() error {
	const longest = math.MaxUint32 * time.Second

	switch {
	case c.Quota < time.Second || c.MaxQuota < c.Quota || c.MaxQuota > longest:
		return errors.New("credit: quota must be a second or more, max_quota not below it")
	case c.QuotaOctets == 0 || c.MaxQuotaOctets < c.QuotaOctets || c.MaxQuotaOctets > rating.MaxUnits:
		return errors.New("credit: quota_octets must be positive, max_quota_octets not below it")
	case c.QuotaEvents == 0 || c.MaxQuotaEvents < c.QuotaEvents || c.MaxQuotaEvents > rating.MaxUnits:
		return errors.New("credit: quota_events must be positive, max_quota_events not below it")
	case c.Threshold < 0 || c.Threshold >= c.Quota:
		return errors.New("credit.threshold: must be below quota")
	case c.Validity < time.Second || c.Validity > longest || c.Supervision < time.Second || c.KeepReplies < time.Minute:
		return errors.New("credit: validity and supervision must be a second or more, keep_replies a minute")
	case c.Overdraft < 0 || c.Overdraft > rating.MaxPrice:
		return errors.New("credit.overdraft: must not be negative")
	case c.Digits < 0 || c.Digits > 9:
		return errors.New("credit.digits: between 0 and 9")
	}

	if _, err := c.FinalUnit.indication(); err != nil {
		return err
	}

	return c.Numbering.Validate()
}

func (f *FinalUnit) indication() (*ro.FinalUnitIndication, error) {
	switch {
	case f.Action == "terminate" && f.Redirect == "" && len(f.Filters) == 0:
		return &ro.FinalUnitIndication{Action: ro.FinalTerminate}, nil
	case f.Action == "redirect" && f.Redirect != "" && len(f.Filters) == 0:
		return &ro.FinalUnitIndication{Action: ro.FinalRedirect, RedirectServer: &ro.RedirectServer{
			AddressType: addressType(f.Redirect), Address: f.Redirect,
		}}, nil
	case f.Action == "restrict" && len(f.Filters) > 0 && f.Redirect == "":
		return &ro.FinalUnitIndication{Action: ro.FinalRestrictAccess, FilterIDs: f.Filters}, nil
	default:
		return nil, fmt.Errorf("credit.final_unit: %q is not terminate, redirect with a redirect_address, or restrict with filter_ids", f.Action)
	}
}

// addressType is Redirect-Address-Type (RFC 8506 §8.38).
func addressType(address string) uint32 {
	const ipv4, ipv6, url, sipURI = 0, 1, 2, 3

	if ip, err := netip.ParseAddr(address); err == nil {
		if ip.Is4() {
			return ipv4
		}

		return ipv6
	}

	if strings.HasPrefix(address, "sip") {
		return sipURI
	}

	return url
}
