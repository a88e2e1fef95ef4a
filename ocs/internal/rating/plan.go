package rating

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are part of the program: a price must not depend on the machine
)

// Plan is a tariff that was found to be sound, made ready for pricing.
type Plan struct {
	Tariff
	rates     []*rate            // as in the tariff
	byPrefix  map[string][]*rate // of the called number; "": those that state none
	discounts []*discount
	clock     clock
	fine      int64 // parts of a minor unit that prices are in
}

type rate struct {
	*Rate
	index    int
	prefixes []string // of Prefix and To; empty: any
	cond     conditions
	twice    bool // there is one for the same services before it
	specific int  // number of the conditions, then their rank
}

type discount struct {
	*Discount
	prefixes []string
	cond     conditions
}

// conditions are Conditions with names replaced by what they mean.
type conditions struct {
	stated  *Conditions
	from    []string
	within  [][]string
	windows []namedWindow
	any     bool // no period is stated
}

type namedWindow struct {
	name    string
	windows []*window
}

// ErrNoRate is returned for a service without a rate.
var ErrNoRate = errors.New("no rate")

// label returns the name of a rate in bills and reports.
func (r *rate) label() string {
	if r.Name != "" {
		return r.Name
	}

	if r.Prefix != "" {
		return fmt.Sprintf("rate %d (%s)", r.index+1, r.Prefix)
	}

	return fmt.Sprintf("rate %d", r.index+1)
}

// rank returns how many conditions a rate states beside the prefix and then, among as many, which ones: the higher bit goes first.
func (r *Rate) rank() int {
	set := 0

	for _, stated := range []bool{
		r.RatingGroup != nil, len(r.Services) > 0, len(r.Within) > 0, len(r.When) > 0, len(r.Visited) > 0, len(r.Access) > 0,
		len(r.Media) > 0, len(r.Messages) > 0, len(r.From) > 0, len(r.Contexts) > 0, r.Direction != "",
	} {
		set <<= 1
		if stated {
			set |= 1
		}
	}

	const width = 11

	return bits.OnesCount(uint(set))<<width | set
}

// fits returns "" if a rate is for this service at some time, or else why not.
func (r *rate) fits(p *Plan, s *Service) string {
	switch {
	case r.RatingGroup != nil && (s.RatingGroup == nil || *s.RatingGroup != *r.RatingGroup):
		return fmt.Sprintf("it is for rating group %d", *r.RatingGroup)
	case r.Direction != "" && (r.Direction == Terminating) != s.Terminating:
		return "it is for the " + string(r.Direction) + " side"
	case len(r.prefixes) > 0 && r.matched(s.Number) < 0:
		return "the called number does not begin with " + shortened(r.prefixes)
	default:
		return r.cond.fit(p, s)
	}
}

// matched returns the length of the longest prefix that the number has; 0 if the rate states none, -1 if none fits.
func (r *rate) matched(number string) int { return longest(r.prefixes, number) }

func longest(prefixes []string, number string) int {
	if len(prefixes) == 0 {
		return 0
	}

	most := -1
	for _, prefix := range prefixes {
		if strings.HasPrefix(number, prefix) {
			most = max(most, len(prefix))
		}
	}

	return most
}

func (c *conditions) fit(p *Plan, s *Service) string {
	alternatives := func(stated []string, have string) bool {
		return len(stated) == 0 ||
			slices.ContainsFunc(stated, func(one string) bool { return have != "" && strings.EqualFold(one, have) })
	}

	switch {
	case len(c.from) > 0 && longest(c.from, s.Calling) < 0:
		return "the calling number does not begin with " + shortened(c.from)
	case len(c.within) > 0 && !slices.ContainsFunc(c.within, func(members []string) bool {
		return longest(members, s.Calling) >= 0 && longest(members, s.Number) >= 0
	}):
		return "not both parties are in " + strings.Join(c.stated.Within, ", ")
	case len(c.stated.Visited) > 0 && !p.visits(c.stated.Visited, s.Visited):
		return "the visited network is not " + strings.Join(c.stated.Visited, ", ")
	case !alternatives(c.stated.Access, s.Access):
		return "the access is not " + strings.Join(c.stated.Access, ", ")
	case !alternatives(c.stated.Media, s.Media):
		return "the media are not " + strings.Join(c.stated.Media, ", ")
	case !alternatives(c.stated.Messages, s.Message):
		return "it is for " + strings.Join(c.stated.Messages, ", ")
	case len(c.stated.Services) > 0 &&
		!slices.ContainsFunc(s.Identifiers, func(id uint32) bool { return slices.Contains(c.stated.Services, id) }):
		return fmt.Sprintf("it is for the service identifiers %v", c.stated.Services)
	case len(c.stated.Contexts) > 0 &&
		!slices.ContainsFunc(c.stated.Contexts, func(one string) bool { return strings.HasSuffix(s.Context, one) }):
		return "it is for " + strings.Join(c.stated.Contexts, ", ")
	default:
		return ""
	}
}

// The visited networks that a plan knows by its home.
const (
	atHome  = "home"
	roaming = "roaming"
)

func (p *Plan) visits(stated []string, network string) bool {
	return network != "" && slices.ContainsFunc(stated, func(one string) bool {
		home := slices.ContainsFunc(p.Home, func(home string) bool { return strings.EqualFold(home, network) })

		switch one {
		case atHome:
			return home
		case roaming:
			return !home
		default:
			return strings.EqualFold(one, network)
		}
	})
}

// at reports whether the conditions hold at a local time.
func (c *conditions) at(l local) bool {
	return c.any || slices.ContainsFunc(c.windows, func(named namedWindow) bool {
		return slices.ContainsFunc(named.windows, func(w *window) bool { return w.holds(l) })
	})
}

// candidates returns the rates for a service, the one that goes first at the beginning.
func (p *Plan) candidates(s *Service) []*rate {
	type found struct {
		*rate
		matched int
	}

	var all []found

	for length := range len(s.Number) + 1 {
		for _, r := range p.byPrefix[s.Number[:length]] {
			if r.fits(p, s) == "" && r.matched(s.Number) == length {
				all = append(all, found{r, length})
			}
		}
	}

	slices.SortStableFunc(all, func(a, b found) int {
		return cmp.Or(
			cmp.Compare(b.Priority, a.Priority),
			cmp.Compare(b.matched, a.matched),
			cmp.Compare(b.specific, a.specific),
			cmp.Compare(a.index, b.index),
		)
	})

	rates := make([]*rate, len(all))
	for i := range all {
		rates[i] = all[i].rate
	}

	return rates
}

// Meter prices the use of one service under one plan. It is for one goroutine.
type Meter struct {
	plan      *Plan
	service   Service
	unit      Unit
	rates     []*rate // for the service, the one that goes first at the beginning
	discounts []*discount
	timed     bool // a period decides
	known     struct {
		from, to time.Time // the border last found
		is       bool
	}
}

// Meter returns the meter of a service.
func (p *Plan) Meter(s Service, u Unit) *Meter {
	m := &Meter{plan: p, service: s, unit: u, rates: p.candidates(&s)}

	for _, d := range p.discounts {
		if (len(d.prefixes) == 0 || longest(d.prefixes, s.Number) >= 0) && d.cond.fit(p, &s) == "" {
			m.discounts = append(m.discounts, d)
			m.timed = m.timed || !d.cond.any
		}
	}

	for i, r := range m.rates {
		m.timed = m.timed || !r.cond.any || r.TiersPer != ""

		if r.cond.any { // those behind it never apply
			m.rates = m.rates[:i+1]
			break
		}
	}

	return m
}

// Unit returns what the meter counts.
func (m *Meter) Unit() Unit { return m.unit }

// Service returns what the meter knows of the service.
func (m *Meter) Service() Service { return m.service }

// rateAt returns the rate in force at an instant, nil if there is none.
func (m *Meter) rateAt(at time.Time) *rate {
	if len(m.rates) > 0 && m.rates[0].cond.any {
		return m.rates[0]
	}

	l := localOf(at, m.plan.clock.zone)
	for _, r := range m.rates {
		if r.cond.at(l) {
			return r
		}
	}

	return nil
}

func (m *Meter) discountAt(at time.Time) *discount {
	for _, d := range m.discounts {
		if d.cond.at(localOf(at, m.plan.clock.zone)) {
			return d
		}
	}

	return nil
}

// Rate returns the rate in force at an instant; nil, with the reason, if the service cannot be used then in this unit.
func (m *Meter) Rate(at time.Time) (*Rate, error) {
	if m.unit == Money { // rated by the network function
		return &Rate{}, nil
	}

	switch r := m.rateAt(at); {
	case r == nil:
		return nil, fmt.Errorf("%w in tariff %s for %q", ErrNoRate, m.plan.Name, m.service.Number)
	case !r.Prices(m.unit):
		return nil, fmt.Errorf("tariff %s has no price for %s to %s", m.plan.Name, m.unit, m.service.Number)
	default:
		return r.Rate, nil
	}
}

// Prices reports whether the rate has a price for this unit.
func (r *Rate) Prices(u Unit) bool {
	switch u {
	case Seconds:
		return r.Interval > 0
	case Octets:
		return r.VolumeInterval > 0
	case Money:
		return true
	default:
		return r.EventPrice != nil
	}
}

// state is what a price depends on at an instant.
type state struct {
	rate     *rate
	discount *discount
	count    int // of the period of the tiers: day, week or month
}

func (m *Meter) stateAt(at time.Time) state {
	s := state{rate: m.rateAt(at), discount: m.discountAt(at)}
	if s.rate != nil && s.rate.TiersPer != "" {
		s.count = count(s.rate.TiersPer, localOf(at, m.plan.clock.zone).date)
	}

	return s
}

// The periods in which tiers count.
const (
	perDay   = "day"
	perWeek  = "week"
	perMonth = "month"
)

// count numbers the days, weeks or months.
func count(per string, date time.Time) int {
	days := int(date.Unix() / wholeDay)

	switch per {
	case perDay:
		return days
	case perWeek:
		return (days + 3) / 7 // 1970-01-01 was a Thursday; weeks begin on Mondays
	default:
		year, month, _ := date.Date()
		return year*12 + int(month)
	}
}

// horizon is how far ahead a change of price is looked for.
const horizon = 8 * 24 * time.Hour

// Border returns the next instant after which the price of the service differs, and whether there is one in the next days. Use that
// crosses it is priced part by part.
func (m *Meter) Border(at time.Time) (time.Time, bool) {
	if !m.timed || m.unit == Money {
		return time.Time{}, false
	}

	if k := &m.known; !k.from.IsZero() && !at.Before(k.from) && at.Before(k.to) {
		return k.to, k.is
	}

	now := m.stateAt(at)
	next := m.plan.clock.next(at)

	for ; next.Sub(at) < horizon; next = m.plan.clock.next(next) {
		if m.stateAt(next) != now {
			m.known.from, m.known.to, m.known.is = at, next, true
			return next, true
		}
	}

	return time.Time{}, false
}
