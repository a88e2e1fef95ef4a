package rating

import (
	"fmt"
	"math/big"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawPlan returns any plan with times, tiers, blocks, discounts, rounding and tax.
func drawPlan(t *rapid.T) *Plan {
	small := rapid.Int64Range(0, 200)
	rate := func(name string, when ...string) Rate {
		r := Rate{
			Name: name, ConnectionFee: small.Draw(t, "fee"), Price: small.Draw(t, "price"), Interval: rapid.Int64Range(1, 90).Draw(t, "interval"),
			Initial: rapid.Int64Range(0, 90).Draw(t, "initial"), Increment: rapid.Int64Range(0, 70).Draw(t, "increment"),
			FreeSeconds: rapid.Int64Range(0, 40).Draw(t, "free"), Minimum: rapid.Int64Range(0, 100).Draw(t, "minimum"),
			VolumePrice: small.Draw(t, "volume price"), VolumeInterval: rapid.Int64Range(1, 1000).Draw(t, "volume interval"),
			VolumeIncrement: rapid.Int64Range(0, 100).Draw(t, "volume increment"),
		}
		r.When = when

		if rapid.Bool().Draw(t, "capped") {
			r.Cap = r.Minimum + small.Draw(t, "cap")
		}

		for above := int64(0); rapid.Bool().Draw(t, "another tier"); {
			above += rapid.Int64Range(1, 500).Draw(t, "above")
			r.Tiers = append(r.Tiers, Tier{Above: above, Price: small.Draw(t, "tier price")})
		}

		if len(r.Tiers) > 0 {
			r.TiersPer = rapid.SampledFrom([]string{"", "day", "week", "month"}).Draw(t, "tiers per")
		}

		return r
	}

	tariff := &Tariff{
		Name:     "drawn",
		Decimals: rapid.IntRange(0, 3).Draw(t, "decimals"),
		TimeZone: rapid.SampledFrom([]string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}).Draw(t, "zone"),
		Calendars: map[string][]string{
			"holidays": {"easter+1", "12-25"},
		},
		Periods: map[string][]Period{
			"night": {{From: "22:00", To: "06:00"}, {On: []string{"holidays"}}},
			"odd":   {{From: "01:30", To: "02:30", Days: []string{"sun", "mon"}}},
		},
		Rates: []Rate{rate("odd", "odd"), rate("night", "night"), rate("other")},
	}

	if rapid.Bool().Draw(t, "discount") {
		tariff.Discounts = []Discount{{Name: "less", Percent: Percent(rapid.IntRange(0, wholePercent).Draw(t, "percent"))}}
		tariff.Discounts[0].When = rapid.SampledFrom([][]string{nil, {"night"}, {"odd"}}).Draw(t, "discounted")
	}

	if rapid.Bool().Draw(t, "rounding") {
		tariff.Rounding = &Rounding{
			Direction: rapid.SampledFrom([]string{"", "up", "down", "nearest", "even"}).Draw(t, "direction"),
			To:        rapid.Int64Range(0, 7).Draw(t, "to"),
			Each:      rapid.SampledFrom([]string{"", "call", "line"}).Draw(t, "each"),
		}
	}

	if rapid.Bool().Draw(t, "tax") {
		tariff.Tax = &Tax{
			Name:     "VAT",
			Percent:  Percent(rapid.IntRange(0, 30_000).Draw(t, "tax percent")),
			Included: rapid.Bool().Draw(t, "included"),
		}
	}

	p, err := Compile(tariff)
	if err != nil {
		t.Fatal(err)
	}

	return p
}

func drawStart(t *rapid.T, p *Plan) time.Time {
	day := rapid.SampledFrom([]string{"2026-03-28", "2026-03-29", "2026-10-25", "2026-11-01", "2026-04-05", "2026-12-24", "2026-01-31"}).
		Draw(t, "day")
	at, _ := time.ParseInLocation("2006-01-02", day, p.clock.zone)

	return at.Add(time.Duration(rapid.IntRange(0, 30*3600).Draw(t, "second")) * time.Second)
}

// Under any plan the price does not depend on how use is reported, never falls as use grows, and is what the lines of the bill add up to;
// what is affordable is affordable, and not one unit more.
func TestAnyPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		c := tableCase{unit: rapid.SampledFrom([]Unit{Seconds, Octets}).Draw(t, "unit"), at: drawStart(t, p)}
		s := Service{Number: "+1555", Before: uint64(rapid.IntRange(0, 600).Draw(t, "before"))}
		m := p.Meter(s, c.unit)

		portions := rapid.SliceOfN(rapid.Uint64Range(0, 9000), 1, 8).Draw(t, "reports")
		sum, last := uint64(0), int64(0)

		for i, units := range portions {
			sum += units

			one, many := c.use(m, sum), c.use(m, portions[:i+1]...)
			bill := m.Bill(one)

			if divided := p.Meter(s, c.unit).Bill(many); !reflect.DeepEqual(divided, bill) {
				t.Fatalf("%d in one: %+v\nin reports %v: %+v", sum, bill, many, divided)
			}

			if cost := m.Cost(many); cost != bill.Total || cost < last {
				t.Fatalf("%d costs %d, its bill says %d, before it was %d", sum, cost, bill.Total, last)
			}

			last = bill.Total

			if err := adds(bill); err != nil {
				t.Fatal(err)
			}
		}

		at := c.at
		if c.unit == Seconds {
			at = at.Add(time.Duration(sum) * time.Second)
		}

		used := c.use(m, portions...)
		budget := rapid.Int64Range(0, 3000).Draw(t, "budget")
		more := m.Affordable(used, at, 5000, budget)

		if m.Further(used, at, more) > budget && more > 0 || more < 5000 && m.Further(used, at, more+1) <= budget {
			t.Fatalf("%d buys %d more, which costs %d", budget, more, m.Further(used, at, more))
		}
	})
}

// adds returns an error if the lines are not what the bill says.
func adds(b Bill) error {
	sum := new(big.Rat)

	for _, line := range b.Lines {
		amount, ok := new(big.Rat).SetString(line.Amount)
		if !ok {
			return fmt.Errorf("%q is no amount", line.Amount)
		}

		if !line.Within {
			sum.Add(sum, amount)
		}
	}

	if sum.Cmp(new(big.Rat).SetInt64(b.Total)) != 0 {
		return fmt.Errorf("the lines add up to %s, the total is %d: %+v", sum, b.Total, b.Lines)
	}

	return nil
}

// The price does not change before a border, and does at it.
func TestBorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		m := p.Meter(Service{Number: "+1555"}, Seconds)
		at := drawStart(t, p)

		border, is := m.Border(at)
		if !is {
			border = at.Add(horizon - wholeDay*time.Second)
		}

		for _, before := range []time.Time{at.Add(border.Sub(at) / 2), border.Add(-time.Second)} {
			if before = before.Truncate(time.Second); !before.Before(at) && m.stateAt(before) != m.stateAt(at) {
				t.Fatalf("from %s: it changes at %s, before %s", at, before, border)
			}
		}

		if is && m.stateAt(border) == m.stateAt(at) {
			t.Fatalf("from %s: nothing changes at %s", at, border)
		}
	})
}
