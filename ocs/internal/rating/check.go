package rating

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Check reads a plan and looks for what cannot be meant: rates that never apply, times without a price, rates of which only their order
// in the file decides. It looks at each hour of the two years from a day on at which anything begins or ends. Faults are those of a plan
// that cannot be used.
func Check(text []byte, from time.Time) (notices Faults, err error) {
	t, source, faults := parse(text)
	if t == nil {
		return nil, faults
	}

	p, unsound, same := compile(t)
	faults = append(faults, unsound.outside(faults)...)
	notices = t.doubtful()

	if len(faults) == 0 { // one that has rates twice can be looked at
		c := checker{plan: p, instants: p.instants(from), notices: notices}
		c.rates()
		c.everywhere()
		c.unused()
		notices = c.notices
	}

	if faults = append(faults, same.outside(faults)...); len(faults) > 0 {
		return nil, source.locate(append(faults, notices...))
	}

	return source.locate(notices), nil
}

// outside returns the faults of other parts of the plan than those that could not be read.
func (f Faults) outside(unread Faults) Faults {
	return slices.DeleteFunc(slices.Clone(f), func(fault Fault) bool {
		return slices.ContainsFunc(unread, func(u Fault) bool {
			return u.of == whole ||
				u.of != "" && (fault.Path == u.of || strings.HasPrefix(fault.Path, u.of+".") || strings.HasPrefix(fault.Path, u.of+"["))
		})
	})
}

const checkedDays = 731

// instants returns when a period may begin or end.
func (p *Plan) instants(from time.Time) []time.Time {
	timed := slices.ContainsFunc(p.rates, func(r *rate) bool { return !r.cond.any })
	if !timed {
		return []time.Time{from}
	}

	all := []time.Time{from}
	for at, end := from, from.AddDate(0, 0, checkedDays); at.Before(end); at = p.clock.next(at) {
		all = append(all, p.clock.next(at))
	}

	return all
}

type checker struct {
	plan     *Plan
	instants []time.Time
	notices  Faults
}

// probes returns services that a rate is meant for: each prefix and side once.
func (c *checker) probes(r *rate) (all []Service) {
	s := Service{RatingGroup: r.RatingGroup, Visited: "somewhere else"}

	first := func(names []string) string {
		if len(names) == 0 {
			return ""
		}

		return names[0]
	}

	s.Access, s.Media, s.Message, s.Context = first(r.Access), first(r.Media), first(r.Messages), first(r.Contexts)
	s.Identifiers = r.Services
	s.Calling = first(r.cond.from)

	if len(r.Visited) == 0 {
		s.Visited = ""
	} else if s.Visited = r.Visited[0]; s.Visited == atHome {
		s.Visited = c.plan.Home[0]
	} else if s.Visited == roaming {
		s.Visited = "another network than those of the plan's home"
	}

	prefixes := r.prefixes

	if len(r.cond.within) > 0 {
		s.Calling = r.cond.within[0][0]
		if len(prefixes) == 0 {
			prefixes = r.cond.within[0]
		}
	}

	if len(prefixes) == 0 {
		prefixes = []string{""}
	}

	for _, prefix := range prefixes[:min(len(prefixes), maxProbes)] {
		s.Number = prefix

		for _, called := range []bool{false, true} {
			if s.Terminating = called; r.Direction == "" || called == (r.Direction == Terminating) {
				all = append(all, s)
			}
		}
	}

	return all
}

// maxProbes is how many prefixes of one rate are looked at.
const maxProbes = 50

// rates looks at each rate for itself.
func (c *checker) rates() {
	for _, r := range c.plan.rates {
		if r.twice {
			continue
		}

		var (
			used, equal *rate
			rivals      []string
			gap         time.Time
			inTime      bool
		)

		for _, s := range c.probes(r) {
			if r.fits(c.plan, &s) != "" {
				continue // groups and prefixes that exclude each other
			}

			m := c.plan.Meter(s, Seconds)
			all := c.plan.candidates(&s)

			instants := c.instants
			if !m.timed {
				instants = instants[:1]
			}

			for _, at := range instants {
				best := m.rateAt(at)
				l := localOf(at, c.plan.clock.zone)

				switch {
				case best == nil && gap.IsZero():
					gap = at
				case best == r:
					used = r
				case best != nil && r.cond.at(l) && !slices.Contains(rivals, best.label()):
					rivals = append(rivals, best.label())
				}

				if r.cond.at(l) {
					inTime = true

					for _, other := range all {
						if !other.twice && other.index > r.index && other.Priority == r.Priority && other.specific == r.specific &&
							other.matched(s.Number) == r.matched(s.Number) && other.cond.at(l) {
							equal = other
						}
					}
				}
			}
		}

		c.judge(r, used, equal, rivals, gap, inTime)
	}
}

func (c *checker) judge(r, used, equal *rate, rivals []string, gap time.Time, inTime bool) {
	path := fmt.Sprintf("rates[%d]", r.index)

	switch {
	case used == nil && !inTime:
		c.notices.add(path, "%s is never used: no service meets all its conditions in the next two years", r.label())
	case used == nil && len(rivals) > 0:
		c.notices.add(path, "%s is never used, for these go before it: %s", r.label(), shortened(rivals))
	}

	if equal != nil {
		c.notices.add(
			path,
			"%s and %s fit the same services at the same time: only their order decides; give one a priority",
			r.label(),
			equal.label(),
		)
	}

	if !gap.IsZero() {
		c.notices.add(
			path, "at times nothing has a price for the services of %s, first at %s", r.label(),
			gap.In(c.plan.clock.zone).Format("Mon 2006-01-02 15:04 MST"),
		)
	}
}

// everywhere says so if there are numbers without a price.
func (c *checker) everywhere() {
	if len(c.plan.candidates(&Service{})) == 0 &&
		!slices.ContainsFunc(c.plan.rates, func(r *rate) bool { return len(r.prefixes) == 0 }) {
		c.notices.add("rates", "numbers that begin with none of the prefixes have no price (5031)")
	}
}

// unused finds lists that nothing names.
func (c *checker) unused() {
	named := map[string]bool{}

	note := func(cond *Conditions) {
		for _, name := range slices.Concat(cond.To, cond.From) {
			named["destinations."+name] = true
		}

		for _, name := range cond.Within {
			named["groups."+name] = true
		}

		for _, name := range cond.When {
			named["periods."+name] = true
		}
	}

	for _, r := range c.plan.rates {
		note(&r.Conditions)
	}

	for _, d := range c.plan.discounts {
		note(&d.Conditions)
	}

	for _, periods := range c.plan.Periods {
		for i := range periods {
			for _, name := range slices.Concat(periods[i].On, periods[i].Except) {
				named["calendars."+name] = true
			}
		}
	}

	for _, list := range []struct {
		kind  string
		names []string
	}{
		{"destinations", keys(c.plan.Destinations)},
		{"groups", keys(c.plan.Groups)},
		{"calendars", keys(c.plan.Calendars)},
		{"periods", keys(c.plan.Periods)},
	} {
		for _, name := range list.names {
			if !named[list.kind+"."+name] {
				c.notices.add(list.kind+"."+name, "nothing in the plan uses it")
			}
		}
	}
}

func keys[T any](of map[string]T) []string {
	return slices.Sorted(maps.Keys(of))
}
