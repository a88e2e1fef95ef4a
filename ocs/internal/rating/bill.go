package rating

import (
	"math/big"
	"math/bits"
	"strings"
	"time"
)

// Line is one part of a bill.
type Line struct {
	Rate    string     `json:"rate,omitempty"`
	What    string     `json:"what"` // connection fee, free, seconds, octets, events, the name of a discount or a tax, minimum, cap, rounding
	At      *time.Time `json:"at,omitempty"`
	Units   uint64     `json:"units,omitempty"`   // used
	Charged uint64     `json:"charged,omitempty"` // in whole blocks
	Price   int64      `json:"price,omitempty"`   // in the unit of the plan's prices
	Per     int64      `json:"per,omitempty"`
	Tier    int        `json:"tier,omitempty"`   // 1: the first that the rate states
	Amount  string     `json:"amount"`           // minor units; a fraction, if it is none of them: 10/3
	Within  bool       `json:"within,omitempty"` // part of the amounts above, not added to them: a tax that prices include
}

// Bill is what a use costs, line by line. The lines add up to the total.
type Bill struct {
	Lines []Line `json:"lines"`
	Total int64  `json:"total"` // minor units
}

// The directions of rounding, and what is rounded.
const (
	roundUp      = "up"
	roundDown    = "down"
	roundNearest = "nearest"
	roundEven    = "even"

	eachCall = "call"
	eachLine = "line"
)

// Bill returns the bill of a use. No use costs nothing: an unanswered call is free.
func (m *Meter) Bill(parts []Part) Bill {
	if m.unit == Money {
		units := unitsOf(parts)
		if units == 0 {
			return Bill{}
		}

		return Bill{Lines: []Line{{What: string(Money), Units: units, Amount: new(big.Int).SetUint64(units).String()}}, Total: int64(units)}
	}

	runs, first := m.walk(parts)
	if len(runs) == 0 {
		return Bill{}
	}

	b := biller{plan: m.plan, sum: new(big.Rat)}

	if first.ConnectionFee > 0 {
		b.add(Line{Rate: first.label(), What: "connection fee", At: &runs[0].at}, b.minor(first.ConnectionFee))
	}

	for i := range runs {
		b.use(m.unit, &runs[i])
	}

	return b.end(first)
}

// Cost returns the total of the bill.
func (m *Meter) Cost(parts []Part) int64 {
	if m.unit == Money {
		return int64(unitsOf(parts))
	}

	runs, first := m.walk(parts)
	if len(runs) == 0 {
		return 0
	}

	if p := m.plan; len(runs) == 1 && p.fine == 1 && p.Rounding == nil && p.Tax == nil &&
		runs[0].discount == nil && first.Minimum == 0 && first.Cap == 0 { // the usual case, in whole numbers
		return first.ConnectionFee + proportion(runs[0].charged, runs[0].price, runs[0].per)
	}

	return m.Bill(parts).Total
}

func unitsOf(parts []Part) (sum uint64) {
	for i := range parts {
		sum = min(sum+parts[i].Units, MaxUnits)
	}

	return sum
}

// proportion returns units * price / interval, rounded up.
func proportion(units uint64, price, interval int64) int64 {
	high, low := bits.Mul64(units, uint64(price))
	if high >= uint64(interval) {
		return Unpayable
	}

	cost, rest := bits.Div64(high, low, uint64(interval))
	if rest > 0 {
		cost++
	}

	return int64(min(cost, Unpayable))
}

// biller adds up a bill.
type biller struct {
	plan  *Plan
	lines []Line
	sum   *big.Rat
}

// minor returns an amount of the plan's prices in minor units.
func (b *biller) minor(price int64) *big.Rat { return big.NewRat(price, b.plan.fine) }

// add adds a line, rounded by itself if the plan wants it.
func (b *biller) add(line Line, amount *big.Rat) {
	if r := b.plan.Rounding; r != nil && r.Each == eachLine {
		amount = r.round(amount)
	}

	b.put(line, amount)
}

func (b *biller) put(line Line, amount *big.Rat) {
	line.Amount = amount.RatString()
	b.lines = append(b.lines, line)

	if !line.Within {
		b.sum.Add(b.sum, amount)
	}
}

// use adds what the units of one price cost, and the discount on it. Rounded by line, they are one line.
func (b *biller) use(unit Unit, r *run) {
	line := Line{
		Rate: r.rate.label(), What: string(unit), At: &r.at, Units: r.units, Charged: r.charged, Price: r.price, Per: r.per, Tier: r.tier,
	}

	if r.free {
		line.What, line.Per = "free", 0
		b.put(line, new(big.Rat))

		return
	}

	amount := new(big.Rat).SetFrac(
		new(big.Int).Mul(new(big.Int).SetUint64(r.charged), big.NewInt(r.price)),
		new(big.Int).Mul(big.NewInt(r.per), big.NewInt(b.plan.fine)),
	)

	if r.discount == nil {
		b.add(line, amount)
		return
	}

	less := r.discount.Percent.of(amount)
	left := new(big.Rat).Sub(amount, less)

	if rounding := b.plan.Rounding; rounding != nil && rounding.Each == eachLine {
		less.Sub(amount, rounding.round(left))
	}

	b.put(line, amount)
	b.put(Line{Rate: r.rate.label(), What: r.discount.Name, Amount: ""}, less.Neg(less))
}

// end applies the minimum and the cap, rounds, and adds the tax.
func (b *biller) end(first *rate) Bill {
	if least := b.minor(first.Minimum); b.sum.Cmp(least) < 0 {
		b.put(Line{Rate: first.label(), What: "minimum"}, new(big.Rat).Sub(least, b.sum))
	}

	if most := b.minor(first.Cap); first.Cap > 0 && b.sum.Cmp(most) > 0 {
		b.put(Line{Rate: first.label(), What: "cap"}, new(big.Rat).Sub(most, b.sum))
	}

	b.whole()

	if tax := b.plan.Tax; tax != nil {
		b.tax(tax)
	}

	total := b.sum.Num()
	if !total.IsInt64() || total.Int64() > Unpayable {
		return Bill{Lines: b.lines, Total: Unpayable}
	}

	return Bill{Lines: b.lines, Total: total.Int64()}
}

// whole rounds the sum.
func (b *biller) whole() {
	rounding := b.plan.Rounding
	if rounding == nil {
		rounding = new(Rounding)
	}

	if rounded := rounding.round(b.sum); rounded.Cmp(b.sum) != 0 {
		b.put(Line{What: "rounding"}, new(big.Rat).Sub(rounded, b.sum))
	}
}

// tax adds the tax on the rounded sum, or says how much of it is tax.
func (b *biller) tax(tax *Tax) {
	line := Line{What: strings.TrimSpace(tax.Name + " " + tax.Percent.String() + " %"), Within: tax.Included}
	amount := tax.Percent.of(b.sum)

	if tax.Included {
		amount = new(big.Rat).Mul(b.sum, big.NewRat(int64(tax.Percent), wholePercent+int64(tax.Percent)))
		amount = nearest.round(amount)
		b.put(line, amount)

		return
	}

	rounding := b.plan.Rounding
	if rounding == nil {
		rounding = nearest
	}

	b.put(line, (&Rounding{Direction: rounding.Direction}).round(amount))
}

// nearest is the rounding of taxes in plans without one.
var nearest = &Rounding{Direction: roundNearest}

// round returns an amount of minor units without its fraction, as a multiple of the rounding's unit.
func (r *Rounding) round(amount *big.Rat) *big.Rat {
	unit := big.NewRat(max(1, r.To), 1)
	parts := new(big.Rat).Quo(amount, unit)
	whole, rest := new(big.Int).QuoRem(parts.Num(), parts.Denom(), new(big.Int))

	if rest.Sign() != 0 {
		half := new(big.Int).Lsh(rest, 1).Cmp(parts.Denom())

		up := false
		switch r.Direction {
		case roundDown:
		case roundNearest:
			up = half >= 0
		case roundEven:
			up = half > 0 || half == 0 && whole.Bit(0) == 1
		default:
			up = true
		}

		if up {
			whole.Add(whole, big.NewInt(1))
		}
	}

	return new(big.Rat).Mul(new(big.Rat).SetInt(whole), unit)
}

// Affordable returns how many more units from an instant on, of at most wanted, can be used after those already used, if this much may be
// spent on them. Units end where the service has no price.
func (m *Meter) Affordable(used []Part, at time.Time, wanted uint64, budget int64) uint64 {
	before := unitsOf(used)
	if before >= MaxUnits {
		return 0
	}

	wanted = m.priced(at, min(wanted, MaxUnits-before))
	spent := m.Cost(used)

	if m.after(used, at, wanted)-spent <= budget {
		return wanted
	}

	low, high := uint64(0), wanted // low fits, high does not
	for low+1 < high {
		middle := low + (high-low)/2
		if m.after(used, at, middle)-spent <= budget {
			low = middle
		} else {
			high = middle
		}
	}

	return low
}

// Further returns what so many more units from an instant on cost, after those already used.
func (m *Meter) Further(used []Part, at time.Time, units uint64) int64 {
	return m.after(used, at, units) - m.Cost(used)
}

func (m *Meter) after(used []Part, at time.Time, units uint64) int64 {
	parts := make([]Part, len(used), len(used)+1)
	copy(parts, used)

	return m.Cost(m.Add(parts, at, units))
}

// longestLook is how far ahead times without a price are looked for: no grant is longer.
const longestLook = 31 * 24 * time.Hour

// priced returns how many of the units are used before the service has no price any more.
func (m *Meter) priced(at time.Time, wanted uint64) uint64 {
	if !m.timed || m.unit == Money {
		return wanted
	}

	from := at.Truncate(time.Second)
	for end := from; ; {
		if r := m.rateAt(end); r == nil || !r.Prices(m.unit) {
			if m.unit != Seconds && end.After(from) {
				return wanted
			}

			return min(wanted, uint64(end.Sub(from)/time.Second))
		}

		next, is := m.Border(end)
		if !is || m.unit != Seconds || next.Sub(from) > longestLook || uint64(next.Sub(from)/time.Second) >= wanted {
			return wanted
		}

		end = next
	}
}
