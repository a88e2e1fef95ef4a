package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/traffic"
)

// measure is a figure that a chart shows.
type measure struct{ figure, legend string }

// chart shows figures against the first parameter of the sweep, or something over time.
type chart struct {
	name, title, y string
	caption        string
	measures       []measure
	plotted        func(d *data, c *chart) (*drawing, error) // nil: the measures against the first parameter
}

var charts = []chart{
	{
		name: "signalling", title: "Signalling load", y: "CCRs for each session", measures: []measure{{"requests_per_session", ""}},
		caption: "Credit-Control-Requests that the network function sends for a session, repeated ones included.",
	},
	{
		name: "rate", title: "Requests to the OCS", y: "CCRs per second", measures: []measure{{"requests_per_second", ""}},
		caption: "Credit-Control-Requests per second over the whole time, repeated ones included.",
	},
	{
		name: "reservation", title: "Money reserved", y: "minor units, mean over time", measures: []measure{{"reserved_mean", ""}},
		caption: "What stands in the ledger as reserved, for all accounts together: nobody else can spend it meanwhile.",
	},
	{
		name: "idle", title: "Idle reservation", y: "units granted and not used", measures: []measure{{"idle_units", ""}},
		caption: "Seconds of calls, or octets of data, that an open session has been granted and has not used yet, mean over its time. " +
			"Sessions whose network function vanished count until then; the ledger's reservation has the time after, too.",
	},
	{
		name: "leakage", title: "Overshoot and leakage", y: "% of what was used",
		measures: []measure{{"overshoot_share", "overshoot"}, {"leakage_share", "leakage"}},
		caption:  "Overshoot: talked beyond what was granted at that moment. Leakage: the price of all that was used, less what the OCS debited.",
	},
	{
		name: "lost", title: "Refused, cut-off and failed sessions", y: "% of sessions",
		measures: []measure{
			{"refused_share", "refused"}, {"cut_share", "cut off"}, {"failed_share", "failed"},
		},
		caption: "Refused for want of credit, cut off at its end, and failed: refused or cut off because the OCS did not answer.",
	},
	{
		name: "revenue", title: "Revenue against what was used", y: "minor units",
		measures: []measure{{"value", "used, at its price"}, {"revenue", "debited"}},
		caption:  "The difference of the two is lost.",
	},
	{
		name: "money", title: "Money over time", y: "minor units", plotted: overTime,
		caption: "All accounts together, in the first repetition.",
	},
	{
		name: "latency", title: "Time to the answer", y: "% of answers", plotted: histogram,
		caption: "From a CCR to its answer, repeated requests included, over all repetitions. Each step is a class; 20 classes to each tenfold.",
	},
}

// names returns the names of all charts.
func names() (all []string) {
	for i := range charts {
		all = append(all, charts[i].name)
	}

	return all
}

// data is what charts are made of.
type data struct {
	scenario   *scenario.Scenario
	parameters []string
	points     []*results.Point
}

// xs returns the place of each point on the axis, with the texts of the places in their order. If all values are numbers they are in scale,
// on a logarithmic one if they go far.
func (d *data) xs() (places []float64, ticks []tick, logarithmic, nominal bool) {
	number := true
	index := map[string]int{}

	for _, p := range d.points {
		text := d.value(p, 0)

		if _, seen := index[text]; seen {
			continue
		}

		index[text] = len(index)

		q, ok := quantity(text)
		number = number && ok
		ticks = append(ticks, tick{q, text})
	}

	least, most := math.Inf(1), math.Inf(-1)
	for _, t := range ticks {
		least, most = min(least, t.at), max(most, t.at)
	}

	nominal = !number || len(ticks) < 2
	logarithmic = !nominal && least > 0 && most/least >= 8

	for i := range ticks {
		if nominal {
			ticks[i].at = float64(i)
		}
	}

	for _, p := range d.points {
		places = append(places, ticks[index[d.value(p, 0)]].at)
	}

	return places, ticks, logarithmic, nominal
}

type tick struct {
	at   float64
	text string
}

// quantity returns the number that a parameter's value is.
func quantity(text string) (float64, bool) {
	var q traffic.Quantity
	if err := q.UnmarshalYAML([]byte(text)); err != nil {
		return 0, false
	}

	return float64(q), true
}

// value returns the value of a parameter at a point.
func (d *data) value(p *results.Point, parameter int) string {
	if parameter >= len(p.Values) {
		return ""
	}

	return p.Values[parameter]
}

// series returns the lines of a chart: points that differ in the first parameter alone.
func (d *data) series() (names []string, members map[string][]int) {
	members = map[string][]int{}

	for i, p := range d.points {
		var parts []string
		for parameter := 1; parameter < len(p.Values); parameter++ {
			parts = append(parts, d.label(parameter)+" "+p.Values[parameter])
		}

		name := strings.Join(parts, ", ")
		if _, seen := members[name]; !seen {
			names = append(names, name)
		}

		members[name] = append(members[name], i)
	}

	return names, members
}

// label returns a parameter as it stands at an axis.
func (d *data) label(parameter int) string {
	name := d.parameters[parameter]
	if label := d.scenario.Labels[name]; label != "" {
		return label
	}

	parts := strings.Split(name, ".")

	return strings.ReplaceAll(parts[len(parts)-1], "_", " ")
}

// name returns a point as it stands in a legend.
func (d *data) name(p *results.Point) string {
	var parts []string
	for i, value := range p.Values {
		parts = append(parts, d.label(i)+" "+value)
	}

	return strings.Join(parts, ", ")
}

// telling returns the measures that are not zero everywhere.
func (d *data) telling(c *chart) (some []measure) {
	for _, m := range c.measures {
		if slices.ContainsFunc(d.points, func(p *results.Point) bool { return p.Estimates[m.figure].Mean != 0 }) {
			some = append(some, m)
		}
	}

	return some
}

// empty reports whether a chart would show zeros alone.
func (d *data) empty(c *chart) bool {
	return c.plotted == nil && len(d.telling(c)) == 0
}

// short writes a number for people.
func short(x float64) string {
	a := math.Abs(x)

	switch {
	case a >= 1e9:
		return strconv.FormatFloat(x/1e9, 'f', -1, 64) + " G"
	case a >= 1e6:
		return strconv.FormatFloat(math.Round(x/1e4)/100, 'f', -1, 64) + " M"
	case a >= 1e4:
		return strconv.FormatFloat(math.Round(x/1e2)/10, 'f', -1, 64) + " k"
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	default:
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
}
