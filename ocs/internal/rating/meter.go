package rating

import (
	"math"
	"time"
)

// Part is use from an instant on. Seconds run with the clock on the wall; octets and events of a part all have the price of its instant.
type Part struct {
	At    time.Time `json:"at"`
	Units uint64    `json:"units"`
}

// maxParts is the most parts of a service; beyond them the last one grows.
const maxParts = 1000

// Add adds use to the parts of a service. What follows without a change of price in between becomes one part, so that the parts do not tell
// how the use was reported.
func (m *Meter) Add(parts []Part, at time.Time, units uint64) []Part {
	at = at.Truncate(time.Second)

	last := len(parts) - 1
	if last < 0 {
		return append(parts, Part{At: at, Units: min(units, MaxUnits)})
	}

	p := &parts[last]

	switch {
	case len(parts) >= maxParts, !m.timed, m.unit == Money:
	case m.unit == Seconds && !p.End().Equal(at) && m.stateAt(at) != m.lastState(p):
		return append(parts, Part{At: at, Units: min(units, MaxUnits)})
	case m.unit == Seconds && !p.End().Equal(at): // a pause without a border
		if border, is := m.Border(p.At); is && border.Before(at.Add(time.Duration(min(units, horizonSeconds))*time.Second)) {
			return append(parts, Part{At: at, Units: min(units, MaxUnits)})
		}
	case m.unit != Seconds && m.stateAt(at) != m.stateAt(p.At):
		return append(parts, Part{At: at, Units: min(units, MaxUnits)})
	}

	p.Units = min(p.Units+min(units, MaxUnits), MaxUnits)

	return parts
}

const horizonSeconds = uint64(horizon / time.Second)

func (m *Meter) lastState(p *Part) state {
	if p.Units == 0 {
		return m.stateAt(p.At)
	}

	return m.stateAt(p.End().Add(-time.Second))
}

// End returns when a part of seconds is over.
func (p *Part) End() time.Time {
	return p.At.Add(time.Duration(min(p.Units, math.MaxInt32)) * time.Second)
}

// run is use with one price.
type run struct {
	state
	at      time.Time // of the first unit
	units   uint64    // used
	charged uint64    // of whole blocks
	free    bool      // within the free seconds
	tier    int       // 0: none
	price   int64
	per     int64
}

// walk goes through the use block by block: a block has the price of its beginning. It returns the runs of blocks with one price, and the
// first rate, whose fee, free seconds, minimum and cap are those of the whole. It does not depend on where reports divided the use.
func (m *Meter) walk(parts []Part) (runs []run, first *rate) {
	w := walker{m: m, parts: parts, part: -1, counted: m.service.Before}

	for i := range parts {
		w.total = min(w.total+parts[i].Units, MaxUnits)
	}

	initial := true

	for w.position < w.total {
		if w.part < 0 || w.position >= w.until {
			w.look()
		}

		if w.first == nil {
			return nil, nil
		}

		r := m.next(w.now, w.first, w.position, min(w.total, w.until), w.counted+w.position-w.countFrom, initial, w.total)
		r.at = w.at
		initial = initial && r.free

		used := min(r.units, w.total-w.position)
		if last := len(runs) - 1; last >= 0 && runs[last].joins(&r) {
			runs[last].units += used
			runs[last].charged += r.charged
		} else {
			r.at = m.instant(parts, w.position)
			runs = append(runs, r)
			runs[len(runs)-1].units = used
		}

		w.position += r.units
	}

	return runs, w.first
}

// walker is a place in the use of a service.
type walker struct {
	m               *Meter
	parts           []Part
	part            int    // the present one; -1: none yet
	begun           uint64 // position at which it began
	position, total uint64 // units
	at              time.Time
	now             state
	until           uint64 // position up to which it holds
	first           *rate
	borders         int

	counted   uint64 // units that the tiers had seen at countFrom
	countFrom uint64
	counter   string // the period in which they count
	count     int
}

// maxBorders is how many borders are looked for in one service: in a year are fewer. A use beyond them has the price of the last one.
const maxBorders = 5000

// look finds the part at the position, and what holds there.
func (w *walker) look() {
	for w.part < 0 || w.part+1 < len(w.parts) && w.position >= w.begun+w.parts[w.part].Units {
		if w.part >= 0 {
			w.begun += w.parts[w.part].Units
		}

		w.part++
	}

	part := &w.parts[w.part]
	w.at, w.until = part.At.Truncate(time.Second), w.begun+part.Units

	if w.part == len(w.parts)-1 {
		w.until = math.MaxUint64
	}

	if w.m.unit == Seconds {
		w.at = w.at.Add(time.Duration(min(w.position-w.begun, math.MaxInt32)) * time.Second)
		w.border()
	}

	current := w.m.stateAt(w.at)

	switch {
	case current.rate != nil && current.rate.Prices(w.m.unit):
		w.recount(current)
		w.now = current
	case w.first == nil: // there was a price when the service was asked for
		w.now = state{rate: w.m.usual(), discount: current.discount}
	default: // the price goes on
		w.now.discount = current.discount
	}

	if w.first == nil {
		w.first = w.now.rate
	}
}

func (w *walker) border() {
	if w.borders++; w.borders > maxBorders {
		return
	}

	if border, is := w.m.Border(w.at); is {
		w.until = min(w.until, w.position+uint64(border.Sub(w.at)/time.Second))
	} else if w.m.timed {
		w.until = min(w.until, w.position+horizonSeconds-wholeDay)
	}
}

// recount begins the tiers anew in each period in which they count.
func (w *walker) recount(current state) {
	per := current.rate.TiersPer
	if per == "" {
		return
	}

	if w.counter != per { // seen for the first time: counted from the beginning of the use on
		w.counter, w.count = per, count(per, localOf(w.parts[0].At, w.m.plan.clock.zone).date)
	}

	if w.count != current.count {
		w.count, w.counted, w.countFrom = current.count, 0, w.position
	}
}

// usual returns the rate that goes first of those that price the unit at some time.
func (m *Meter) usual() *rate {
	for _, r := range m.rates {
		if r.Prices(m.unit) {
			return r
		}
	}

	return nil
}

func (r *run) joins(other *run) bool {
	return r.state == other.state && r.free == other.free && r.tier == other.tier && r.price == other.price && r.per == other.per
}

// instant returns when the unit at a position was used.
func (m *Meter) instant(parts []Part, position uint64) time.Time {
	for i := range parts {
		if position < parts[i].Units || i == len(parts)-1 {
			at := parts[i].At.Truncate(time.Second)
			if m.unit == Seconds {
				at = at.Add(time.Duration(min(position, math.MaxInt32)) * time.Second)
			}

			return at
		}

		position -= parts[i].Units
	}

	return time.Time{}
}

// next returns the blocks that begin at a position and before a limit, and have one price. counted is the units that the tiers have seen.
func (m *Meter) next(now state, first *rate, position, limit, counted uint64, initial bool, total uint64) run {
	price := now.rate.unitPrice(m.unit)

	if free := uint64(first.FreeSeconds); m.unit == Seconds && position < free {
		units := min(free, total) - position
		return run{state: now, units: units, free: true, per: price.per}
	}

	r := run{state: now, price: price.price, per: price.per}
	block := max(1, uint64(price.increment))

	for i, tier := range price.tiers {
		if counted < uint64(tier.Above) {
			limit = min(limit, position+uint64(tier.Above)-counted)
			break
		}

		r.tier, r.price = i+1, tier.Price
	}

	if initial && price.initial > 0 {
		r.units, r.charged = uint64(price.initial), uint64(price.initial)
		return r
	}

	blocks := (limit - position + block - 1) / block
	r.units, r.charged = blocks*block, blocks*block

	return r
}

// unitPrice is the price of one kind of units.
type unitPrice struct {
	price, per         int64
	initial, increment int64
	tiers              []Tier
}

func (r *Rate) unitPrice(u Unit) unitPrice {
	switch u {
	case Seconds:
		return unitPrice{price: r.Price, per: r.Interval, initial: r.Initial, increment: r.Increment, tiers: r.Tiers}
	case Octets:
		return unitPrice{price: r.VolumePrice, per: r.VolumeInterval, increment: r.VolumeIncrement, tiers: r.VolumeTiers}
	default:
		price := int64(0)
		if r.EventPrice != nil {
			price = *r.EventPrice
		}

		return unitPrice{price: price, per: 1, tiers: r.EventTiers}
	}
}
