package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	width, height = 7.4 * vg.Inch, 4.2 * vg.Inch
	resolution    = 130 // dots per inch of PNG
	gap           = 8   // points
)

// colours are told apart also by who does not see red and green (Okabe and Ito).
var colours = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff},
	{0xd5, 0x5e, 0x00, 0xff},
	{0x00, 0x9e, 0x73, 0xff},
	{0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff},
	{0x56, 0xb4, 0xe9, 0xff},
	{0x40, 0x40, 0x40, 0xff},
	{0x8c, 0x56, 0x4b, 0xff},
}

var dashes = [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 3, 2, 3}}

// drawing is a plot with its legend below it, so that it hides nothing and the plot has the whole width.
type drawing struct {
	plot   *plot.Plot
	legend []entry
	font   font.Font // of the legend
}

// entry is one entry of a legend.
type entry struct {
	text   string
	thumbs []plot.Thumbnailer
}

func newDrawing(c *chart, x string) *drawing {
	p := plot.New()
	face := font.Font{Typeface: "Liberation", Variant: "Sans"}

	p.Title.Text = c.title
	p.Title.TextStyle.Font = font.From(face, 13)
	p.Title.Padding = 8
	p.X.Label.Text, p.Y.Label.Text = x, c.y

	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = font.From(face, 11)
		axis.Tick.Label.Font = font.From(face, 10)
		axis.Label.Padding = 4
	}

	p.Y.Tick.Marker = readable{}
	p.BackgroundColor = color.White

	grid := plotter.NewGrid()
	grid.Vertical.Color = color.RGBA{}
	grid.Horizontal.Color = color.Gray{0xe0}
	p.Add(grid)

	return &drawing{plot: p, font: font.From(face, 10)}
}

// readable are the usual ticks with readable texts.
type readable struct{}

// Ticks returns ticks between two values (plot.Ticker).
func (readable) Ticks(least, most float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(least, most)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = short(ticks[i].Value)
		}
	}

	return ticks
}

func (d *drawing) name(text string, thumbs ...plot.Thumbnailer) {
	if text != "" {
		d.legend = append(d.legend, entry{text, thumbs})
	}
}

// table returns the legend as a table of so many columns and rows, with the size of a cell.
func (d *drawing) table() (columns, rows int, cell vg.Point) {
	if len(d.legend) == 0 {
		return 0, 0, cell
	}

	for _, e := range d.legend {
		one := d.one(e)
		size := one.Rectangle(draw.Canvas{}).Size()
		cell.X, cell.Y = max(cell.X, size.X+2*gap), max(cell.Y, size.Y+gap/2)
	}

	columns = min(len(d.legend), max(1, int((width-2*gap)/cell.X)))
	rows = (len(d.legend) + columns - 1) / columns
	columns = (len(d.legend) + rows - 1) / rows // as many in each row

	return columns, rows, cell
}

// one returns a legend of one entry.
func (d *drawing) one(e entry) plot.Legend {
	legend := plot.NewLegend()
	legend.Left, legend.Top = true, true
	legend.TextStyle.Font = d.font
	legend.Add(e.text, e.thumbs...)

	return legend
}

// size returns the height with the legend.
func (d *drawing) size() (wide, high vg.Length) {
	_, rows, cell := d.table()

	return width, height + vg.Length(rows)*cell.Y
}

// draw draws on a canvas of that size.
func (d *drawing) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())

	c = draw.Crop(c, gap, -gap, gap, -gap)

	columns, rows, cell := d.table()
	high := vg.Length(rows) * cell.Y

	for i, e := range d.legend {
		left := c.Center().X + cell.X*(vg.Length(i%columns)-vg.Length(columns)/2)
		top := c.Min.Y + high - cell.Y*vg.Length(i/columns)
		legend := d.one(e)
		legend.Draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: left + gap, Y: top - cell.Y}, Max: vg.Point{X: left + cell.X, Y: top},
		}})
	}

	d.plot.Draw(draw.Crop(c, 0, 0, high, 0))
}

// save writes the drawing as PNG and SVG, and returns the latter to stand in a page.
func (d *drawing) save(folder, name string) (svg string, err error) {
	wide, high := d.size()
	image := vgimg.NewWith(vgimg.UseWH(wide, high), vgimg.UseDPI(resolution))
	d.draw(draw.New(image))

	var png bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: image}).WriteTo(&png); err != nil {
		return "", err
	}

	if err := os.WriteFile(filepath.Join(folder, name+".png"), png.Bytes(), 0o644); err != nil { //nolint:gosec // for all to read
		return "", err
	}

	vector := vgsvg.New(wide, high)
	d.draw(draw.New(vector))

	var text bytes.Buffer
	if _, err := vector.WriteTo(&text); err != nil {
		return "", err
	}

	if err := os.WriteFile(filepath.Join(folder, name+".svg"), text.Bytes(), 0o644); err != nil { //nolint:gosec // for all to read
		return "", err
	}

	_, inner, found := strings.Cut(text.String(), "<svg")
	if !found {
		return "", fmt.Errorf("%s: the plot is no SVG", name)
	}

	return "<svg" + inner, nil
}

// against draws the measures of a chart against the first parameter.
func (d *data) against(c *chart) (*drawing, error) {
	x := "all"
	if len(d.parameters) > 0 {
		x = d.label(0)
	}

	drawn := newDrawing(c, x)
	places, ticks, logarithmic, nominal := d.xs()
	names, members := d.series()
	measures := d.telling(c)
	if len(measures) == 1 && measures[0].legend != "" {
		drawn.plot.Y.Label.Text += ", " + measures[0].legend
	}

	lines := len(names) * len(measures)
	line := 0

	for m, measure := range measures {
		for n, name := range names {
			shade := colours[m%len(colours)]
			text := strings.Trim(measure.legend+", "+name, ", ")
			if len(measures) == 1 {
				text = name
			}

			if len(names) > 1 { // then a colour is a series, and the measures differ otherwise
				shade = colours[n%len(colours)]
			}

			if nominal {
				shade = colours[line%len(colours)]
			}

			var err error
			if nominal {
				err = d.bars(drawn, members[name], places, measure.figure, text, shade, line, lines)
			} else {
				err = d.line(drawn, members[name], d.beside(places, line, lines, logarithmic), measure.figure, text, shade, dashes[m%len(dashes)])
			}

			if err != nil {
				return nil, err
			}

			line++
		}
	}

	marks := make(plot.ConstantTicks, len(ticks))
	for i, t := range ticks {
		marks[i] = plot.Tick{Value: t.at, Label: t.text}
	}

	p := drawn.plot
	p.X.Tick.Marker = marks
	p.Y.Min, p.Y.Max = d.span(measures)

	switch {
	case nominal:
		p.X.Min, p.X.Max = -0.5, float64(len(ticks))-0.5
	case logarithmic:
		p.X.Scale = plot.LogScale{}
		ratio := math.Pow(ticks[len(ticks)-1].at/ticks[0].at, 0.05)
		p.X.Min, p.X.Max = p.X.Min/ratio, p.X.Max*ratio
		p.X.Label.Text += " (logarithmic)"
	}

	return drawn, nil
}

// span returns the range of the axis, with room above the whiskers. Those that go far beyond what may be are cut by its end.
func (d *data) span(measures []measure) (least, most float64) {
	whiskers := 0.0

	for _, m := range measures {
		for _, p := range d.points {
			e := p.Estimates[m.figure]
			least, most, whiskers = min(least, e.Mean), max(most, e.Mean), max(whiskers, e.Mean+e.Half)
		}
	}

	if most <= least {
		return least, least + 1
	}

	const room, far = 1.06, 4

	return least, room * min(whiskers, far*most)
}

// beside moves the points of one of several lines a little to the side, so that whiskers do not cover each other.
func (d *data) beside(places []float64, line, lines int, logarithmic bool) (moved []float64) {
	const step = 0.008 // of the axis

	off := (float64(line) - float64(lines-1)/2) * step
	least, most := slices.Min(places), slices.Max(places)

	for _, x := range places {
		if logarithmic {
			moved = append(moved, x*math.Pow(most/least, off))
		} else {
			moved = append(moved, x+off*(most-least))
		}
	}

	return moved
}

// errored are points with confidence intervals.
type errored struct {
	plotter.XYs
	plotter.YErrors
}

func (d *data) estimates(members []int, places []float64, figure string) (e errored, certain bool) {
	for _, i := range members {
		estimate := d.points[i].Estimates[figure]
		e.XYs = append(e.XYs, plotter.XY{X: places[i], Y: estimate.Mean})
		e.YErrors = append(e.YErrors, struct{ Low, High float64 }{estimate.Half, estimate.Half})
		certain = certain || estimate.N > 1
	}

	return e, certain
}

func (d *data) line(w *drawing, members []int, places []float64, figure, text string, shade color.Color, dash []vg.Length) error {
	e, certain := d.estimates(members, places, figure)

	l, s, err := plotter.NewLinePoints(e.XYs)
	if err != nil {
		return err
	}

	l.Color, l.Width, l.Dashes = shade, vg.Points(1.6), dash
	s.Color, s.Shape, s.Radius = shade, draw.CircleGlyph{}, vg.Points(2.6)
	w.plot.Add(l, s)
	w.name(text, l, s)

	if !certain {
		return nil
	}

	return whiskers(w, e, shade)
}

func whiskers(w *drawing, e errored, shade color.Color) error {
	bars, err := plotter.NewYErrorBars(e)
	if err != nil {
		return err
	}

	bars.Color, bars.Width, bars.CapWidth = shade, vg.Points(1.1), vg.Points(6)
	w.plot.Add(bars)

	return nil
}

// bars draws the bars of one series beside those of the others. They are polygons, so that whiskers stand where they do.
func (d *data) bars(w *drawing, members []int, places []float64, figure, text string, shade color.Color, line, lines int) error {
	const group = 0.76 // of the distance of two places

	wide := group / float64(lines)
	centre := make([]float64, len(places))

	for _, i := range members {
		centre[i] = places[i] - group/2 + wide*(float64(line)+0.5)
	}

	e, certain := d.estimates(members, centre, figure)

	for i, at := range e.XYs {
		left, right := at.X-wide*0.46, at.X+wide*0.46

		bar, err := plotter.NewPolygon(plotter.XYs{{X: left, Y: 0}, {X: left, Y: at.Y}, {X: right, Y: at.Y}, {X: right, Y: 0}})
		if err != nil {
			return err
		}

		bar.Color, bar.LineStyle.Width = shade, 0
		w.plot.Add(bar)

		if i == 0 {
			w.name(text, bar)
		}
	}

	if !certain {
		return nil
	}

	return whiskers(w, e, color.Gray{0x30})
}
