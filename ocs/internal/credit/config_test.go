package credit

import (
	"strings"
	"testing"
	"time"
)

func TestConfigRefuses(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*Config)
	}{
		{"", func(*Config) {}},
		{"quota", func(c *Config) { c.Quota = 0 }},
		{"max_quota", func(c *Config) { c.MaxQuota = time.Second }},
		{"quota_octets", func(c *Config) { c.QuotaOctets = 0 }},
		{"quota_events", func(c *Config) { c.MaxQuotaEvents = 0 }},
		{"threshold", func(c *Config) { c.Threshold = c.Quota }},
		{"validity", func(c *Config) { c.Validity = 0 }},
		{"supervision", func(c *Config) { c.Supervision = 0 }},
		{"keep_replies", func(c *Config) { c.KeepReplies = time.Second }},
		{"overdraft", func(c *Config) { c.Overdraft = -1 }},
		{"digits", func(c *Config) { c.Digits = 10 }},
		{"final_unit", func(c *Config) { c.FinalUnit.Action = "hang up" }},
		{"quota_money", func(c *Config) { c.QuotaMoney = 0 }},
		{"threshold_octets", func(c *Config) { c.ThresholdOctets = 10 << 20 }},
		{"low_balance", func(c *Config) { c.LowBalance = -1 }},
		{"numbering", func(c *Config) { c.Numbering.CountryCode = "+49" }},
	} {
		c := DefaultConfig()
		test.change(&c)
		if err := c.Validate(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}
