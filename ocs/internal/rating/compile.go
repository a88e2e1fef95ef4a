package rating

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Compile makes a plan of a tariff, or returns all its Faults.
func Compile(t *Tariff) (*Plan, error) {
	p, faults, same := compile(t)
	if faults = append(faults, same...); len(faults) > 0 {
		return nil, faults
	}

	return p, nil
}

// compile returns a plan, which is sound if there are no faults; same are rates that are there twice.
func compile(t *Tariff) (p *Plan, faults, same Faults) {
	p = &Plan{Tariff: *t, fine: 1}
	c := &compiler{plan: p, windows: map[string]namedWindow{}, marks: map[int]bool{wholeDay: true}}
	c.header()
	c.lists()
	c.times()
	c.prices()

	p.clock.marks = slices.Sorted(maps.Keys(c.marks))
	c.index()

	return p, c.faults, c.twice
}

// Validate returns the Faults of a tariff that cannot be used.
func (t *Tariff) Validate() error {
	_, err := Compile(t)
	return err
}

type compiler struct {
	plan    *Plan
	faults  Faults
	twice   Faults
	windows map[string]namedWindow
	marks   map[int]bool
}

func (c *compiler) header() {
	t := &c.plan.Tariff
	if len(t.Name) > 100 {
		c.faults.add("name", "it is longer than 100 octets")
	}

	if t.Decimals < 0 || t.Decimals > 6 {
		c.faults.add("decimals", "prices have 0 to 6 decimals beyond a minor unit")
	} else {
		for range t.Decimals {
			c.plan.fine *= 10
		}
	}

	if t.Currency > 999 {
		c.faults.add("currency", "it is no ISO 4217 number")
	}

	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil || t.TimeZone == "Local" {
		c.faults.add("time_zone", "%q is no time zone, as Europe/Berlin", t.TimeZone)
		zone = time.UTC
	}

	c.plan.clock.zone = zone

	if t.LowBalance != nil && (*t.LowBalance < 0 || *t.LowBalance > MaxPrice) {
		c.faults.add("low_balance", "it is negative or beyond any price")
	}

	if t.FinalUnit != nil {
		if err := t.FinalUnit.Validate(); err != nil {
			c.faults.add("final_unit", "%s", strings.TrimPrefix(err.Error(), "final_unit: "))
		}
	}

	c.terms("quota", t.Quota)

	if r := t.Rounding; r != nil {
		c.oneOf("rounding.direction", r.Direction, "", roundUp, roundDown, roundNearest, roundEven)
		c.oneOf("rounding.each", r.Each, "", eachCall, eachLine)

		if r.To < 0 || r.To > MaxPrice {
			c.faults.add("rounding.to", "it is negative or beyond any price")
		}
	}

	if x := t.Tax; x != nil && x.Name == "" {
		c.faults.add("tax.name", "a tax needs a name")
	}
}

func (c *compiler) terms(path string, t *Terms) {
	if t == nil {
		return
	}

	c.oneOf(path+".failure_handling", t.Failure, "", "terminate", "continue", "retry")

	switch {
	case max(t.Seconds, t.Octets, t.Events) > MaxUnits:
		c.faults.add(path, "it is more than can be counted")
	case t.Threshold > 0 && t.Seconds > 0 && uint64(t.Threshold) >= t.Seconds:
		c.faults.add(path+".threshold", "it is not below the seconds that are granted")
	case t.ThresholdOctets > 0 && t.Octets > 0 && uint64(t.ThresholdOctets) >= t.Octets:
		c.faults.add(path+".threshold_octets", "it is not below the octets that are granted")
	case t.Overdraft != nil && (*t.Overdraft < 0 || *t.Overdraft > MaxPrice):
		c.faults.add(path+".overdraft", "it is negative or beyond any price")
	}
}

func (c *compiler) oneOf(path, have string, choices ...string) {
	if !slices.Contains(choices, have) {
		c.faults.add(path, "%q is not one of %s", have, strings.Join(slices.DeleteFunc(choices, func(s string) bool { return s == "" }), ", "))
	}
}

// lists checks the destinations and groups.
func (c *compiler) lists() {
	t := &c.plan.Tariff

	for _, list := range []struct {
		path string
		of   map[string][]string
	}{{"destinations", t.Destinations}, {"groups", t.Groups}} {
		for _, name := range slices.Sorted(maps.Keys(list.of)) {
			path := list.path + "." + name
			if len(list.of[name]) == 0 {
				c.faults.add(path, "it has no prefixes")
			}

			for i, prefix := range list.of[name] {
				if fault := prefixFault(prefix); fault != "" {
					c.faults.add(fmt.Sprintf("%s[%d]", path, i), "%s", fault)
				}
			}
		}
	}
}

func prefixFault(prefix string) string {
	switch {
	case strings.Trim(prefix, "0123456789*#") != "" && strings.Trim(strings.TrimPrefix(prefix, "+"), "0123456789") != "":
		return fmt.Sprintf("the prefix %q is no beginning of a number", prefix)
	case len(prefix) > 32:
		return "the prefix is longer than any number"
	default:
		return ""
	}
}

// times checks the calendars and periods.
func (c *compiler) times() {
	t := &c.plan.Tariff
	calendars := map[string][]day{}

	for _, name := range slices.Sorted(maps.Keys(t.Calendars)) {
		if len(t.Calendars[name]) == 0 || len(t.Calendars[name]) > maxLists {
			c.faults.add("calendars."+name, "it needs 1 to %d days", maxLists)
		}

		for i, text := range t.Calendars[name] {
			is, err := parseDay(text)
			if err != nil {
				c.faults.add(fmt.Sprintf("calendars.%s[%d]", name, i), "%s", err)
			}

			calendars[name] = append(calendars[name], is)
		}
	}

	for _, name := range slices.Sorted(maps.Keys(t.Periods)) {
		if len(t.Periods[name]) == 0 || len(t.Periods[name]) > maxLists {
			c.faults.add("periods."+name, "it needs 1 to %d times", maxLists)
		}

		named := namedWindow{name: name}
		for i := range t.Periods[name] {
			named.windows = append(named.windows, c.window(fmt.Sprintf("periods.%s[%d]", name, i), &t.Periods[name][i], calendars))
		}

		c.windows[name] = named
	}
}

func (c *compiler) window(path string, p *Period, calendars map[string][]day) *window {
	w := &window{to: wholeDay}

	if (p.From == "") != (p.To == "") {
		c.faults.add(path, "from and to belong together")
	} else if p.From != "" {
		for _, end := range []struct {
			path, text string
			into       *int
		}{{"from", p.From, &w.from}, {"to", p.To, &w.to}} {
			seconds, err := parseClock(end.text)
			if err != nil {
				c.faults.add(path+"."+end.path, "%s", err)
				return w
			}

			*end.into = seconds
			c.marks[seconds] = true
		}

		if w.from == w.to || w.from == wholeDay {
			c.faults.add(path, "it has no length; leave from and to out for the whole day")
		}
	}

	delete(c.marks, 0) // the end of the day before

	for i, name := range p.Days {
		day := slices.Index(weekdays, name)
		if day < 0 {
			c.faults.add(fmt.Sprintf("%s.days[%d]", path, i), "%q is no day: mon, tue, wed, thu, fri, sat, sun", name)
			continue
		}

		w.days[day] = true
	}

	if len(p.Days) == 0 {
		w.days = [7]bool{true, true, true, true, true, true, true}
	}

	for _, list := range []struct {
		path  string
		names []string
		into  *[][]day
	}{{"on", p.On, &w.on}, {"except", p.Except, &w.except}} {
		for i, name := range list.names {
			days, known := calendars[name]
			if !known {
				c.faults.add(fmt.Sprintf("%s.%s[%d]", path, list.path, i), "the plan has no calendar %q", name)
			}

			*list.into = append(*list.into, days)
		}
	}

	return w
}

// conditions resolves the names in conditions.
func (c *compiler) conditions(path string, stated *Conditions) (cond conditions, to []string) {
	t := &c.plan.Tariff
	cond = conditions{stated: stated, any: len(stated.When) == 0}

	known := func(field string, i int, is bool, what, name string) {
		if !is {
			c.faults.add(fmt.Sprintf("%s.%s[%d]", path, field, i), "the plan has no %s %q", what, name)
		}
	}

	for i, name := range stated.To {
		prefixes, is := t.Destinations[name]
		known("to", i, is, "destination", name)
		to = append(to, prefixes...)
	}

	for i, name := range stated.From {
		prefixes, is := t.Destinations[name]
		known("from", i, is, "destination", name)
		cond.from = append(cond.from, prefixes...)
	}

	for i, name := range stated.Within {
		members, is := t.Groups[name]
		known("within", i, is, "group", name)
		cond.within = append(cond.within, members)
	}

	for i, name := range stated.When {
		named, is := c.windows[name]
		known("when", i, is, "period", name)
		cond.windows = append(cond.windows, named)
	}

	for i, name := range stated.Visited {
		if (name == atHome || name == roaming) && len(t.Home) == 0 {
			c.faults.add(fmt.Sprintf("%s.visited[%d]", path, i), "the plan does not say which networks are its home")
		}
	}

	for i, access := range stated.Access {
		c.oneOf(fmt.Sprintf("%s.access[%d]", path, i), access, "LTE", "NR", "WLAN")
	}

	for i, media := range stated.Media {
		c.oneOf(fmt.Sprintf("%s.media[%d]", path, i), media, "voice", "video")
	}

	for i, message := range stated.Messages {
		c.oneOf(fmt.Sprintf("%s.messages[%d]", path, i), message, "SMS", "MMS")
	}

	return cond, to
}

func (c *compiler) prices() {
	t := &c.plan.Tariff
	if len(t.Rates) == 0 || len(t.Rates) > maxRates {
		c.faults.add("rates", "a tariff needs 1 to %d rates", maxRates)
		return
	}

	for i := range t.Rates {
		stated := &t.Rates[i]
		path := fmt.Sprintf("rates[%d]", i)
		r := &rate{Rate: stated, index: i, specific: stated.rank()}

		if fault := prefixFault(stated.Prefix); fault != "" {
			c.faults.add(path+".prefix", "%s", fault)
		}

		c.rate(path, stated)
		r.cond, r.prefixes = c.conditions(path, &stated.Conditions)

		switch {
		case stated.Prefix != "" && len(stated.To) > 0:
			c.faults.add(path, "prefix and to exclude each other")
		case stated.Prefix != "":
			r.prefixes = []string{stated.Prefix}
		}

		c.plan.rates = append(c.plan.rates, r)
	}

	for i := range t.Discounts {
		path := fmt.Sprintf("discounts[%d]", i)
		d := &discount{Discount: &t.Discounts[i]}
		d.cond, d.prefixes = c.conditions(path, &t.Discounts[i].Conditions)

		if d.Name == "" {
			c.faults.add(path+".name", "a discount needs a name")
		}

		c.plan.discounts = append(c.plan.discounts, d)
	}

	c.same()
}

// index sorts the rates by the prefixes of the called number.
func (c *compiler) index() {
	c.plan.byPrefix = map[string][]*rate{}

	for _, r := range c.plan.rates {
		if len(r.prefixes) == 0 {
			c.plan.byPrefix[""] = append(c.plan.byPrefix[""], r)
		}

		for _, prefix := range slices.Compact(slices.Sorted(slices.Values(r.prefixes))) {
			c.plan.byPrefix[prefix] = append(c.plan.byPrefix[prefix], r)
		}
	}
}

// same finds rates for the same services, of which one could never be used.
func (c *compiler) same() {
	seen := map[string]int{}

	for i, r := range c.plan.rates {
		group := "any"
		if r.RatingGroup != nil {
			group = fmt.Sprint(*r.RatingGroup)
		}

		selector := fmt.Sprintf("%d %s/%s/%s/%+v", r.Priority, r.Prefix, group, r.Direction, r.Conditions)

		if before, is := seen[selector]; is {
			c.twice.add(fmt.Sprintf("rates[%d]", i), "%s is for the same services already", c.plan.rates[before].label())
			r.twice = true

			continue
		}

		seen[selector] = i
	}
}

// rate checks the numbers of a price.
func (c *compiler) rate(path string, r *Rate) {
	values := []struct {
		field string
		value int64
	}{
		{"connection_fee", r.ConnectionFee},
		{"minimum", r.Minimum},
		{"cap", r.Cap},
		{"price", r.Price},
		{"interval", r.Interval},
		{"initial", r.Initial},
		{"increment", r.Increment},
		{"free_seconds", r.FreeSeconds},
		{"volume_price", r.VolumePrice},
		{"volume_interval", r.VolumeInterval},
		{"volume_increment", r.VolumeIncrement},
	}

	for _, v := range values {
		if v.value < 0 || v.value > MaxPrice {
			c.faults.add(path+"."+v.field, "it is negative or beyond any price")
		}
	}

	if r.EventPrice != nil && (*r.EventPrice < 0 || *r.EventPrice > MaxPrice) {
		c.faults.add(path+".event_price", "it is negative or beyond any price")
	}

	c.oneOf(path+".direction", string(r.Direction), "", string(Originating), string(Terminating))
	c.oneOf(path+".tiers_per", r.TiersPer, "", perDay, perWeek, perMonth)

	switch {
	case r.Interval == 0 && (r.Price != 0 || r.Initial != 0 || r.Increment != 0 || r.FreeSeconds != 0 || len(r.Tiers) > 0):
		c.faults.add(path, "a price of time needs an interval")
	case r.VolumeInterval == 0 && (r.VolumePrice != 0 || r.VolumeIncrement != 0 || len(r.VolumeTiers) > 0):
		c.faults.add(path, "a price of volume needs a volume_interval")
	case r.EventPrice == nil && len(r.EventTiers) > 0:
		c.faults.add(path, "tiers of events need an event_price")
	case !r.Prices(Seconds) && !r.Prices(Octets) && !r.Prices(Events):
		c.faults.add(path, "nothing is priced: interval, volume_interval or event_price is needed")
	case r.Cap > 0 && r.Cap < r.Minimum:
		c.faults.add(path+".cap", "it is below the minimum")
	case r.TiersPer != "" && len(r.Tiers)+len(r.VolumeTiers)+len(r.EventTiers) == 0:
		c.faults.add(path+".tiers_per", "there are no tiers")
	}

	c.terms(path+".quota", r.Quota)

	if r.Quota != nil && (r.Quota.Overdraft != nil || r.Quota.Failure != "") {
		c.faults.add(path+".quota", "overdraft and failure_handling are those of the plan")
	}

	c.tiers(path+".tiers", r.Tiers)
	c.tiers(path+".volume_tiers", r.VolumeTiers)
	c.tiers(path+".event_tiers", r.EventTiers)
}

func (c *compiler) tiers(path string, tiers []Tier) {
	last := int64(0)

	for i, tier := range tiers {
		at := fmt.Sprintf("%s[%d]", path, i)

		switch {
		case tier.Above <= last:
			c.faults.add(at+".above", "tiers begin above 0 and ascend")
		case tier.Price < 0 || tier.Price > MaxPrice || tier.Above > MaxUnits:
			c.faults.add(at, "a value is negative or beyond any price")
		}

		last = max(last, tier.Above)
	}
}
