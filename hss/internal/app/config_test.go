package app

import (
	"strings"
	"testing"
	"time"
)

func TestBadConfigurations(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"domain":             func(c *Config) { c.Domain = "sip:home" },
		"data":               func(c *Config) { c.Data = "" },
		"diameter.listen":    func(c *Config) { c.Diameter.Listen = nil },
		"authentication.ind": func(c *Config) { c.Authentication.IND = 32 },
		"cx.max_vectors":     func(c *Config) { c.Cx.MaxVectors = 0 },
		"s6a.max_vectors":    func(c *Config) { c.S6a.MaxVectors = 33 },
		"s6a.apns":           func(c *Config) { c.S6a.APNs[0].Addresses = []string{"10.45.0.2"} },
		"s6a: default_apn":   func(c *Config) { c.S6a.DefaultAPN = "none" },
		"push.attempts":      func(c *Config) { c.Push.Attempts = 0 },
		"push: retry_min":    func(c *Config) { c.Push.RetryMax = time.Millisecond },
		"push.keep":          func(c *Config) { c.Push.Keep = 0 },
		"origin_host":        func(c *Config) { c.Diameter.OriginHost = "" },
		"admin.address":      func(c *Config) { c.Admin.Address = "nowhere" },
		"log.format":         func(c *Config) { c.Log.Format = "xml" },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}

	good := Default()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	if good.policy().DigestRealm != good.Domain {
		t.Errorf("digest realm %q", good.policy().DigestRealm)
	}
}
