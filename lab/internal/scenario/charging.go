package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Charging is how the lab charges. Its own quota is so small that a short call renews it.
type Charging struct {
	Quota  time.Duration // granted at a time
	Margin time.Duration // the S-CSCF asks for more so long before its end
	Plan   string        // file of a tariff in place of the lab's own
}

// OwnCharging is that of the lab without flags.
var OwnCharging = Charging{Quota: 4 * time.Second, Margin: 2 * time.Second}

// longestTalk is how long alice and bob talk at most until the quota is renewed.
const longestTalk = 20 * time.Second

// Validate returns an error if no call could show that the quota is renewed.
func (c *Charging) Validate() error {
	switch {
	case c.Quota < time.Second || c.Margin < 0 || c.Margin >= c.Quota:
		return errors.New("--quota must be a second or more, and --margin less than it")
	case c.Quota-c.Margin > longestTalk:
		return fmt.Errorf("--quota %s and --margin %s: the call would not renew its quota within %s", c.Quota, c.Margin, longestTalk)
	default:
		return nil
	}
}

// tariff returns the prices.
func (c *Charging) tariff() (map[string]any, error) {
	if c.Plan == "" {
		return map[string]any{"name": usualTariff, "rates": []map[string]any{{
			"prefix": "", "connection_fee": connectionFee, "price": pricePerSecond, "interval": 1, "increment": 1, "event_price": 10,
		}}}, nil
	}

	text, err := os.ReadFile(c.Plan)
	if err != nil {
		return nil, fmt.Errorf("--plan: %w", err)
	}

	var plan map[string]any
	if err := yaml.Unmarshal(text, &plan); err != nil {
		return nil, fmt.Errorf("--plan %s: %s", c.Plan, yaml.FormatError(err, false, true))
	}

	plan["name"] = usualTariff

	return plan, nil
}

// usualTariff is that of accounts that name none.
const usualTariff = "standard"

// price makes the prices known to the OCS.
func (c *Charging) price(ctx context.Context) error {
	plan, err := c.tariff()
	if err != nil {
		return err
	}

	if err := httpapi.Local(adminOfOCS).Do(ctx, "PUT", "/tariffs/"+usualTariff, plan, nil); err != nil {
		return fmt.Errorf("tariff: %w", err)
	}

	return nil
}

// explain says what a call of so many seconds is charged by.
func (c *Charging) explain(seconds int64) string {
	if c.Plan != "" {
		return fmt.Sprintf("%d s by %s", seconds, c.Plan)
	}

	return fmt.Sprintf("%d s at %d a second, %d for the connection", seconds, pricePerSecond, connectionFee)
}

// right reports whether a call costs what it should, as far as the lab knows.
func (c *Charging) right(seconds, amount int64) bool {
	return c.Plan != "" || amount == connectionFee+pricePerSecond*seconds
}
