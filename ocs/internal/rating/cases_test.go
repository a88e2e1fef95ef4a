package rating

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tableCase is one row of a table of cases.
type tableCase struct {
	name    string
	service Service
	at      time.Time
	unit    Unit
	units   uint64
	want    string
}

var section = regexp.MustCompile("(?s)\n##+ ([^\n]+)\n.*?```yaml\n(.*?)\n```\n\n\\| service [^\n]*\n\\| ---[^\n]*\n((?:\\|[^\n]*\n)+)")

// readCases calls do for each section of the table, and each example of the charging guide.
func readCases(t *testing.T, do func(t *testing.T, p *Plan, cases []tableCase)) (count int) {
	t.Helper()

	table, err := os.ReadFile("testdata/cases.md")
	if err != nil {
		t.Fatal(err)
	}

	guide, err := os.ReadFile("../../../docs/charging.md")
	if err != nil {
		t.Fatal(err)
	}

	_, examples, is := strings.Cut(string(guide), "\n## Examples of plans\n")
	if !is {
		t.Error("the charging guide has no examples of plans")
	}

	for _, found := range section.FindAllStringSubmatch(string(table)+examples, -1) {
		t.Run(found[1], func(t *testing.T) {
			p, err := Read([]byte(found[2]))
			if err != nil {
				t.Fatal(err)
			}

			var cases []tableCase
			for _, row := range strings.Split(strings.TrimSpace(found[3]), "\n") {
				cases = append(cases, readCase(t, p, row))
			}

			count += len(cases)
			do(t, p, cases)
		})
	}

	return count
}

func readCase(t *testing.T, p *Plan, row string) tableCase {
	t.Helper()

	cells := strings.Split(strings.Trim(row, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}

	c := tableCase{name: row, want: cells[3], at: time.Date(2026, 6, 17, 12, 0, 0, 0, p.clock.zone)}

	if cells[1] != "" {
		var err error
		if c.at, err = time.ParseInLocation("2006-01-02 15:04:05", cells[1], p.clock.zone); err != nil {
			if c.at, err = time.Parse(time.RFC3339, cells[1]); err != nil {
				t.Fatal(err)
			}
		}
	}

	amount, unit, _ := strings.Cut(cells[2], " ")
	c.units, _ = strconv.ParseUint(amount, 10, 64)
	c.unit = map[string]Unit{"s": Seconds, "octets": Octets, "events": Events}[unit]

	for words := strings.Fields(cells[0]); len(words) > 0; {
		word := words[0]
		if words = words[1:]; strings.HasPrefix(word, "+") || strings.Trim(word, "0123456789") == "" {
			c.service.Number = word
			continue
		}

		if word == "terminating" {
			c.service.Terminating = true
			continue
		}

		value := words[0]
		words = words[1:]
		number, _ := strconv.ParseUint(value, 10, 32)
		small := uint32(number)

		switch word {
		case "from":
			c.service.Calling = value
		case "visited":
			c.service.Visited = value
		case "access":
			c.service.Access = value
		case "media":
			c.service.Media = value
		case "message":
			c.service.Message = value
		case "context":
			c.service.Context = value
		case "group":
			c.service.RatingGroup = &small
		case "service":
			c.service.Identifiers = []uint32{small}
		case "before":
			c.service.Before = number
		default:
			t.Fatalf("%s: what is %q?", row, word)
		}
	}

	return c
}

// use returns the parts of a use that is reported in these portions.
func (c *tableCase) use(m *Meter, portions ...uint64) (parts []Part) {
	at := c.at
	for _, units := range portions {
		parts = m.Add(parts, at, units)
		if c.unit == Seconds {
			at = at.Add(time.Duration(units) * time.Second)
		}
	}

	return parts
}

// Each use costs what was computed by hand, and as much wherever reports divide it; the lines of its bill do not change either.
func TestCases(t *testing.T) {
	count := readCases(t, func(t *testing.T, p *Plan, cases []tableCase) {
		for _, c := range cases {
			m := p.Meter(c.service, c.unit)

			if _, err := m.Rate(c.at); (err != nil) != (c.want == "none") {
				t.Errorf("%s\n%v", c.name, err)
			}

			if c.want == "none" {
				continue
			}

			whole := c.use(m, c.units)
			bill := m.Bill(whole)

			if got := fmt.Sprint(m.Cost(whole)); got != c.want || fmt.Sprint(bill.Total) != c.want {
				t.Errorf("%s\n%s, the bill %d: %+v", c.name, got, bill.Total, bill.Lines)
			}

			step := max(1, c.units/500)
			for report := step; report < c.units; report += step {
				divided := m.Bill(c.use(m, report, c.units-report))
				if !reflect.DeepEqual(divided, bill) {
					t.Fatalf("%s\nreported after %d: %+v\nin one: %+v", c.name, report, divided, bill)
				}
			}

			var all []uint64
			for left := c.units; left > 0; left -= min(left, step) {
				all = append(all, min(left, step))
			}

			if divided := m.Bill(c.use(m, all...)); !reflect.DeepEqual(divided, bill) {
				t.Errorf("%s\nreported all the time: %+v\nin one: %+v", c.name, divided, bill)
			}
		}
	})

	const wanted = 150
	if count < wanted {
		t.Errorf("%d cases, want %d or more", count, wanted)
	}
}

// A budget of exactly the price buys the units, and one of a minor unit less does not, unless they are charged in a block that costs less.
func TestCasesAffordable(t *testing.T) {
	readCases(t, func(t *testing.T, p *Plan, cases []tableCase) {
		for _, c := range cases {
			m := p.Meter(c.service, c.unit)
			price := m.Cost(c.use(m, c.units))

			if c.want == "none" || c.units == 0 {
				continue
			}

			if got := m.Affordable(nil, c.at, c.units, price); got != c.units {
				t.Errorf("%s\nfor its price: %d", c.name, got)
			}

			for _, budget := range []int64{price - 1, price / 2} {
				got := m.Affordable(nil, c.at, c.units, budget)
				if budget < 0 || price == 0 {
					continue
				}

				if cost := m.Cost(c.use(m, got)); got > 0 && cost > budget || got < c.units && m.Cost(c.use(m, got+1)) <= budget {
					t.Errorf("%s\n%d buys %d, which costs %d", c.name, budget, got, cost)
				}
			}
		}
	})
}
