// Package traffic is what subscribers do in an experiment: when they begin something, how long it lasts, and how large it is. All of it is
// drawn from streams of random numbers that depend on the seed alone, so that every point of a sweep sees the same traffic.
package traffic

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Quantity is a number of what its setting counts: "90s" or "2m" are seconds, "5 MB" or "1 GiB" octets, plain numbers either, or money.
type Quantity float64

var multiples = []struct {
	suffix string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}}

// UnmarshalYAML reads a number, a duration or an amount of octets.
func (q *Quantity) UnmarshalYAML(text []byte) error {
	value := strings.Trim(strings.TrimSpace(string(text)), `"'`)

	if number, err := strconv.ParseFloat(value, 64); err == nil {
		*q = Quantity(number)
		return nil
	}

	if d, err := time.ParseDuration(value); err == nil {
		*q = Quantity(d.Seconds())
		return nil
	}

	for _, m := range multiples {
		if rest, found := strings.CutSuffix(value, m.suffix); found {
			if number, err := strconv.ParseFloat(strings.TrimSpace(rest), 64); err == nil {
				*q = Quantity(number * m.factor)
				return nil
			}
		}
	}

	return fmt.Errorf("%q is no number, duration (90s) or amount of octets (5 MB)", value)
}

// MarshalYAML writes a whole number as one: 10800, and not 10800.0.
func (q Quantity) MarshalYAML() (any, error) {
	if whole := int64(q); Quantity(whole) == q {
		return whole, nil
	}

	return float64(q), nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
