package rating

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Verdict is why a rate is used or not.
type Verdict struct {
	Rate string `json:"rate"`
	Used bool   `json:"used"`
	Why  string `json:"why"`
}

// Explain returns a verdict for each rate of the plan on a service at an instant.
func (p *Plan) Explain(s Service, u Unit, at time.Time) (all []Verdict) {
	m := p.Meter(s, u)
	best := m.rateAt(at)
	l := localOf(at, p.clock.zone)

	fitting := 0
	for _, r := range p.candidates(&s) {
		if r.cond.at(l) {
			fitting++
		}
	}

	for _, r := range p.rates {
		v := Verdict{Rate: r.label(), Used: r == best, Why: r.fits(p, &s)}

		switch {
		case v.Used && !r.Prices(u):
			v.Why = "it goes first, and has no price for " + string(u)
		case v.Used && fitting == 1:
			v.Why = "no other rate applies"
		case v.Used:
			v.Why = "it goes first"
		case v.Why != "":
		case !r.cond.at(l):
			v.Why = fmt.Sprintf("%s is not %s", at.In(p.clock.zone).Format("Mon 2006-01-02 15:04:05 MST"), strings.Join(r.When, ", "))
		default:
			v.Why = before(best, r, s.Number)
		}

		all = append(all, v)
	}

	slices.SortStableFunc(all, func(a, b Verdict) int {
		switch {
		case a.Used == b.Used:
			return 0
		case a.Used:
			return -1
		default:
			return 1
		}
	})

	return all
}

// before says why one rate goes before another that fits as well.
func before(best, r *rate, number string) string {
	switch {
	case best.Priority != r.Priority:
		return fmt.Sprintf("%s has the higher priority", best.label())
	case best.matched(number) != r.matched(number):
		return fmt.Sprintf("%s has the longer prefix", best.label())
	case best.specific != r.specific:
		return fmt.Sprintf("%s has the narrower conditions", best.label())
	default:
		return fmt.Sprintf("%s stands before it", best.label())
	}
}

func shortened(all []string) string {
	const most = 3
	if len(all) > most {
		return strings.Join(all[:most], ", ") + ", …"
	}

	return strings.Join(all, ", ")
}

// Time reads a time as people write it, in the zone of the plan, or in RFC 3339. An empty one is now.
func (p *Plan) Time(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}

	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		at, err := time.ParseInLocation(form, text, p.clock.zone)
		if err != nil {
			continue
		}

		if wall, _ := time.Parse(form, text); localOf(at, p.clock.zone) != localOf(wall, time.UTC) {
			return time.Time{}, fmt.Errorf("there is no %s in %s: the clocks are put forward over it", text, p.clock.zone)
		}

		return at, nil
	}

	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time, as 2026-03-29 01:59 or 2026-03-29T01:59:00+01:00", text)
	}

	return at, nil
}

// Shown returns a time in the zone of the plan.
func (p *Plan) Shown(at time.Time) string {
	return at.In(p.clock.zone).Format("2006-01-02 15:04:05 MST")
}
