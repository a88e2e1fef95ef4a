// Package rating computes the cost of services. Prices are whole minor units of the currency, and every function here is pure: the same
// rate and the same use always cost the same.
package rating

import (
	"errors"
	"fmt"
	"strings"
)

// Tariff is a price list. A new one with the same name is a new version; a session keeps the version that it began with.
type Tariff struct {
	Name    string `json:"name"`
	Version uint32 `json:"version,omitempty"` // given by the OCS: 1, 2, …
	Rates   []Rate `json:"rates"`
	Terms
}

// Service is a service to be rated.
type Service struct {
	Number      string // normalised; "" if the called party has none
	RatingGroup *uint32
	Terminating bool // the payer is called
}

// errNoRate is returned for a service without a rate.
var errNoRate = errors.New("no rate")

// Limits of the calculation.
const (
	MaxPrice = 1 << 40
	MaxUnits = 1 << 50 // seconds, octets or events of one service
	maxRates = 100_000
)

// Validate returns an error if the tariff cannot be calculated with.
func (t *Tariff) Validate() error {
	if t.Name == "" || len(t.Name) > 100 {
		return errors.New("a tariff needs a name of at most 100 octets")
	}

	if len(t.Rates) == 0 || len(t.Rates) > maxRates {
		return fmt.Errorf("a tariff needs 1 to %d rates", maxRates)
	}

	if err := t.Terms.validate(); err != nil {
		return err
	}

	seen := make(map[string]bool, len(t.Rates))

	for i := range t.Rates {
		r := &t.Rates[i]
		if err := r.validate(); err != nil {
			return fmt.Errorf("rate %d, prefix %q: %w", i+1, r.Prefix, err)
		}

		if seen[r.selector()] {
			return fmt.Errorf("rate %d, prefix %q: there is one for the same services already", i+1, r.Prefix)
		}

		seen[r.selector()] = true
	}

	return nil
}

func (r *Rate) selector() string {
	group := "any"
	if r.RatingGroup != nil {
		group = fmt.Sprint(*r.RatingGroup)
	}

	return r.Prefix + "/" + group + "/" + string(r.Direction)
}

// Find returns the rate for a service: the one with the longest prefix of the number; of several, one for the service's rating group takes
// precedence over one for any, and then one for its direction.
func (t *Tariff) Find(s Service) (Rate, error) {
	best, points := -1, -1

	for i := range t.Rates {
		if p := t.Rates[i].matches(s); p > points {
			best, points = i, p
		}
	}

	if best < 0 {
		return Rate{}, fmt.Errorf("%w in tariff %s for %q", errNoRate, t.Name, s.Number)
	}

	return t.Rates[best], nil
}

// matches returns how well the rate fits, -1 if it does not.
func (r *Rate) matches(s Service) int {
	if !strings.HasPrefix(s.Number, r.Prefix) {
		return -1
	}

	points := 4 * len(r.Prefix)

	switch {
	case r.RatingGroup == nil:
	case s.RatingGroup == nil || *s.RatingGroup != *r.RatingGroup:
		return -1
	default:
		points += 2
	}

	switch {
	case r.Direction == "":
	case (r.Direction == Terminating) != s.Terminating:
		return -1
	default:
		points++
	}

	return points
}
