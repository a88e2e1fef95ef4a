package traffic

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Arrivals is the process by which a subscriber begins calls, data sessions or messages.
type Arrivals struct {
	Process string    `yaml:"process"` // poisson, deterministic, profile or trace
	PerDay  Quantity  `yaml:"per_day"` // of each subscriber
	Profile []float64 `yaml:"profile"` // weights of the 24 hours of the day, of a Poisson process whose rate changes with them
	File    string    `yaml:"file"`    // of a trace: lines of seconds,subscriber,holding[,number]
}

// The arrival processes.
const (
	poisson       = "poisson"
	deterministic = "deterministic"
	profile       = "profile"
	fromTrace     = "trace"
)

const (
	day       = 24 * time.Hour
	hours     = 24
	maxPerDay = 1e6
)

// Validate returns an error if nothing can arrive.
func (a *Arrivals) Validate() error {
	switch a.Process {
	case fromTrace:
		if a.File == "" {
			return errors.New("arrivals from a trace need its file")
		}

		return nil
	case poisson, deterministic, profile:
	default:
		return fmt.Errorf("arrivals: process %q is none of %s, %s, %s, %s", a.Process, poisson, deterministic, profile, fromTrace)
	}

	if a.PerDay <= 0 || a.PerDay > maxPerDay {
		return fmt.Errorf("arrivals: per_day must be positive, and at most %d", int(maxPerDay))
	}

	if (a.Process == profile) != (a.Profile != nil) {
		return errors.New("arrivals: a profile process needs profile, and no other has one")
	}

	if a.Process != profile {
		return nil
	}

	sum := 0.0
	for _, weight := range a.Profile {
		if weight < 0 {
			return errors.New("arrivals: the weight of an hour is negative")
		}

		sum += weight
	}

	if len(a.Profile) != hours || sum <= 0 {
		return errors.New("arrivals: profile needs 24 weights, one for each hour of the day, not all of them 0")
	}

	return nil
}

// Traced reports whether the arrivals of all subscribers are those of a file.
func (a *Arrivals) Traced() bool { return a.Process == fromTrace }

// Source returns the arrivals of one subscriber, one after the other.
type Source struct {
	arrivals *Arrivals
	random   *rand.Rand
	at       time.Time
	weights  float64 // sum of the profile's
}

// Source returns the arrivals of one subscriber from a time on.
func (a *Arrivals) Source(random *rand.Rand, from time.Time) *Source {
	s := &Source{arrivals: a, random: random, at: from}

	for _, weight := range a.Profile {
		s.weights += weight
	}

	if a.Process == deterministic { // subscribers do not all begin at once
		s.at = s.at.Add(-seconds(random.Float64() * s.interval()))
	}

	return s
}

// interval returns the mean time between two arrivals, in seconds.
func (s *Source) interval() float64 { return day.Seconds() / float64(s.arrivals.PerDay) }

// Next returns the time of the next arrival.
func (s *Source) Next() time.Time {
	switch s.arrivals.Process {
	case deterministic:
		s.at = s.at.Add(seconds(s.interval()))
	case profile:
		s.at = s.inProfile(s.random.ExpFloat64())
	default:
		s.at = s.at.Add(seconds(s.random.ExpFloat64() * s.interval()))
	}

	return s.at
}

// inProfile returns when so many arrivals are expected since the last one: hours with a larger weight bring them sooner.
func (s *Source) inProfile(expected float64) time.Time {
	at := s.at

	for {
		end := at.Truncate(time.Hour).Add(time.Hour)
		perSecond := float64(s.arrivals.PerDay) * s.arrivals.Profile[at.Hour()] / s.weights / time.Hour.Seconds()

		within := perSecond * end.Sub(at).Seconds()
		if within > expected {
			return at.Add(seconds(expected / perSecond))
		}

		expected -= within
		at = end
	}
}
