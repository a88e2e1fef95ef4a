package app

import (
	"cmp"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
)

// Emergency says by which numbers emergency calls are known.
type Emergency struct {
	Country string            `yaml:"country"` // MCC; empty: that of home_domain
	Numbers map[string]string `yaml:"numbers"` // more than the country's, each with its service
}

func (c *Config) emergencies() (*emergency.Plan, error) {
	country := cmp.Or(c.Emergency.Country, emergency.Country(c.HomeDomain))
	return emergency.NewPlan(c.HomeDomain, country, c.Emergency.Numbers)
}

func (c *Config) validateEmergency() error {
	if _, err := c.emergencies(); err != nil {
		return fmt.Errorf("emergency.%w", err)
	}

	return nil
}
