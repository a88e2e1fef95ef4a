// Package rating says what a service costs. Prices are whole minor units of the account's currency, and every function here
// is pure: the same tariff and the same use always cost the same.
package rating

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// Tariff is a price list.
type Tariff struct {
	Name  string `json:"name"`
	Rates []Rate `json:"rates"`
}

// Rate is the price of calls or events whose number begins with a prefix.
type Rate struct {
	Prefix        string `json:"prefix"`                   // of the called number in international form, "+" included; "" matches all
	ConnectionFee int64  `json:"connection_fee,omitempty"` // once, when the call is answered
	Price         int64  `json:"price"`                    // for each interval
	Interval      int64  `json:"interval"`                 // seconds that the price is for
	Increment     int64  `json:"increment"`                // seconds that are charged together: 1 per second, 60 per started minute
	FreeSeconds   int64  `json:"free_seconds,omitempty"`   // at the beginning of each call
	EventPrice    int64  `json:"event_price,omitempty"`    // of one message
}

// ErrNoRate is the error of a number that no prefix matches.
var ErrNoRate = errors.New("no rate for the called number")

const (
	maxPrice   = 1 << 40
	maxSeconds = 1 << 32
)

// Validate refuses a tariff that cannot be calculated with.
func (t *Tariff) Validate() error {
	if t.Name == "" {
		return errors.New("a tariff needs a name")
	}

	seen := map[string]bool{}

	for _, r := range t.Rates {
		switch {
		case seen[r.Prefix]:
			return fmt.Errorf("prefix %q stands twice", r.Prefix)
		case r.Interval <= 0 || r.Increment <= 0 || r.Interval > maxSeconds || r.Increment > maxSeconds:
			return fmt.Errorf("prefix %q: interval and increment must be positive seconds", r.Prefix)
		case r.Price < 0 || r.ConnectionFee < 0 || r.FreeSeconds < 0 || r.EventPrice < 0:
			return fmt.Errorf("prefix %q: nothing may be negative", r.Prefix)
		case r.Price > maxPrice || r.ConnectionFee > maxPrice || r.EventPrice > maxPrice || r.FreeSeconds > maxSeconds:
			return fmt.Errorf("prefix %q: a value is beyond any price", r.Prefix)
		case strings.Trim(r.Prefix, "+0123456789*#") != "":
			return fmt.Errorf("prefix %q is no number", r.Prefix)
		}

		seen[r.Prefix] = true
	}

	return nil
}

// Find is the rate with the longest prefix of the number.
func (t *Tariff) Find(number string) (Rate, error) {
	best, found := Rate{}, false

	for _, r := range t.Rates {
		if strings.HasPrefix(number, r.Prefix) && (!found || len(r.Prefix) > len(best.Prefix)) {
			best, found = r, true
		}
	}

	if !found {
		return Rate{}, fmt.Errorf("%w: %q", ErrNoRate, number)
	}

	return best, nil
}

// Cost is the price of a call of this many seconds: the fee, and the seconds beyond the free ones in whole increments, each at
// its part of the interval's price, the sum rounded up to a minor unit. A call that was not answered (0 seconds) is free.
func (r Rate) Cost(seconds uint64) int64 {
	if seconds == 0 {
		return 0
	}

	seconds = min(seconds, maxSeconds)
	free := uint64(r.FreeSeconds)

	if seconds <= free {
		return r.ConnectionFee
	}

	increment := uint64(r.Increment)
	charged := (seconds - free + increment - 1) / increment * increment

	// charged * price / interval, rounded up, without overflow.
	high, low := bits.Mul64(charged, uint64(r.Price))
	interval := uint64(r.Interval)

	if high >= interval {
		return 1 << 62 // more than anybody has
	}

	cost, rest := bits.Div64(high, low, interval)
	if rest > 0 {
		cost++
	}

	return r.ConnectionFee + int64(min(cost, 1<<62))
}

// Affordable is how many more seconds a call can go on that has used so many, of at most wanted, when this much is left to spend
// beyond what those have cost.
func (r Rate) Affordable(used, wanted uint64, budget int64) uint64 {
	spent := r.Cost(used)
	low, high := uint64(0), wanted // low always fits

	if r.Cost(used+wanted)-spent <= budget {
		return wanted
	}

	for low+1 < high {
		middle := low + (high-low)/2
		if r.Cost(used+middle)-spent <= budget {
			low = middle
		} else {
			high = middle
		}
	}

	return low
}
