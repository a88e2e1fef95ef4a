package report

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
)

// mostLines is how many points of a sweep one chart shows.
const mostLines = 8

// overTime draws the money of one point, or what is reserved at each of several.
func overTime(d *data, c *chart) (*drawing, error) {
	unit, name := timeUnit(d.points)
	drawn := newDrawing(c, "time, "+name)

	if len(d.points) == 1 {
		for i, line := range []struct {
			text string
			of   func(s results.Sample) float64
		}{
			{"in the accounts", func(s results.Sample) float64 { return s.Balance }},
			{"reserved", func(s results.Sample) float64 { return s.Reserved }},
			{"revenue", func(s results.Sample) float64 { return s.Revenue }},
		} {
			if err := drawn.time(d.points[0].Series, unit, line.of, line.text, i); err != nil {
				return nil, err
			}
		}

		return drawn, nil
	}

	drawn.plot.Title.Text = "Money reserved over time"

	for i, p := range d.points {
		if i == mostLines {
			break
		}

		if err := drawn.time(p.Series, unit, func(s results.Sample) float64 { return s.Reserved }, d.name(p), i); err != nil {
			return nil, err
		}
	}

	return drawn, nil
}

func (w *drawing) time(series []results.Sample, unit float64, of func(results.Sample) float64, text string, i int) error {
	var points plotter.XYs
	for _, s := range series {
		points = append(points, plotter.XY{X: s.At / unit, Y: of(s)})
	}

	if len(points) < 2 {
		return nil
	}

	l, err := plotter.NewLine(points)
	if err != nil {
		return err
	}

	l.Color, l.Width, l.Dashes = colours[i%len(colours)], vg.Points(1.4), dashes[i/len(colours)%len(dashes)]
	w.plot.Add(l)
	w.plot.Y.Min = min(0, w.plot.Y.Min)
	w.name(text, l)

	return nil
}

func timeUnit(points []*results.Point) (seconds float64, name string) {
	last := 0.0
	for _, p := range points {
		if n := len(p.Series); n > 0 {
			last = max(last, p.Series[n-1].At)
		}
	}

	switch {
	case last > 3*86400:
		return 86400, "days"
	case last > 3*3600:
		return 3600, "hours"
	case last > 3*60:
		return 60, "minutes"
	default:
		return 1, "seconds"
	}
}

// histogram draws how long answers took.
func histogram(d *data, c *chart) (*drawing, error) {
	drawn := newDrawing(c, "milliseconds (logarithmic)")
	least, most := math.Inf(1), 0.0

	for i, p := range d.points {
		if i == mostLines {
			break
		}

		var points plotter.XYs

		for class, n := range p.Latency.Counts {
			if n > 0 {
				least, most = min(least, results.Edge(class)), max(most, results.Edge(class+1))
			}

			share := 100 * float64(n) / float64(max(1, p.Latency.N))
			points = append(points, plotter.XY{X: results.Edge(class), Y: share}, plotter.XY{X: results.Edge(class + 1), Y: share})
		}

		l, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}

		l.Color, l.Width = colours[i%len(colours)], vg.Points(1.4)
		drawn.plot.Add(l)

		if len(d.points) > 1 {
			drawn.name(d.name(p), l)
		}
	}

	if least > most {
		return nil, nil
	}

	p := drawn.plot
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max = least/1.3, most*1.3
	p.Y.Min = 0

	var marks plot.ConstantTicks

	steps := []float64{1, 2, 5}
	if most/least > 500 { // they would stand in each other's way
		steps = steps[:1]
	}

	for _, at := range []float64{0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000} {
		for _, step := range steps {
			marks = append(marks, plot.Tick{Value: at * step, Label: short(at * step)})
		}
	}

	p.X.Tick.Marker = marks

	return drawn, nil
}
