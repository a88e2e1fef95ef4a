package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
)

// Estimate is a mean over repetitions. The interval mean ± half has the true mean in it with a confidence of 95 %, if the runs are about
// normally distributed (Student's t); with one run there is none, and N is 1.
type Estimate struct {
	Mean float64 `json:"mean"`
	Half float64 `json:"half"`
	N    int     `json:"n"`
}

// Point is one point of the sweep, over its repetitions.
type Point struct {
	Name      string              `json:"point"`
	Values    []string            `json:"values"`
	Estimates map[string]Estimate `json:"figures"`
	Latency   Histogram           `json:"-"`
	Series    []Sample            `json:"-"` // of the first repetition
}

// Summarise returns the points in the order of their runs.
func Summarise(runs []*Run) (points []*Point) {
	index, samples := map[string]*Point{}, map[string]map[string][]float64{}

	for _, run := range runs {
		point := index[run.Point]
		if point == nil {
			point = &Point{Name: run.Point, Values: run.Values, Estimates: map[string]Estimate{}, Series: run.Series}
			index[run.Point], samples[run.Point] = point, map[string][]float64{}
			points = append(points, point)
		}

		point.Latency.Merge(&run.Latency)

		for name, value := range run.Figures {
			samples[run.Point][name] = append(samples[run.Point][name], value)
		}
	}

	for name, point := range index {
		for figure, values := range samples[name] {
			point.Estimates[figure] = estimate(values)
		}
	}

	return points
}

func estimate(values []float64) Estimate {
	n := float64(len(values))
	e := Estimate{N: len(values)}

	for _, value := range values {
		e.Mean += value / n
	}

	if len(values) < 2 {
		return e
	}

	squares := 0.0
	for _, value := range values {
		squares += (value - e.Mean) * (value - e.Mean)
	}

	e.Half = student(len(values)-1) * math.Sqrt(squares/(n-1)/n)

	return e
}

// student returns the 97.5 % quantile of Student's t distribution.
func student(freedom int) float64 {
	quantiles := []float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101,
		2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}

	if freedom <= len(quantiles) {
		return quantiles[freedom-1]
	}

	const normal = 1.959964

	return normal + (normal*normal*normal+normal)/4/float64(freedom) // the first term of Fisher's expansion
}

// SaveSummary writes summary.csv and summary.json: a row for each point and figure.
func SaveSummary(folder string, parameters []string, points []*Point) error {
	var b bytes.Buffer

	w := csv.NewWriter(&b)
	rows := [][]string{
		append(append([]string{}, parameters...), "figure", "unit", "mean", "confidence_low", "confidence_high", "repetitions"),
	}

	for _, p := range points {
		for _, f := range Figures {
			e := p.Estimates[f.Name]
			low, high := "", ""

			if e.N > 1 {
				low, high = precise(e.Mean-e.Half), precise(e.Mean+e.Half)
			}

			rows = append(rows, append(append([]string{}, p.Values...), f.Name, f.Unit, precise(e.Mean), low, high, strconv.Itoa(e.N)))
		}
	}

	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("summary: %w", err)
	}

	text, err := json.MarshalIndent(map[string]any{"parameters": parameters, "points": points}, "", " ")
	if err != nil {
		return err
	}

	if err := Replace(filepath.Join(folder, "summary.json"), append(text, '\n')); err != nil {
		return err
	}

	return Replace(filepath.Join(folder, "summary.csv"), b.Bytes())
}

func precise(x float64) string { return strconv.FormatFloat(x, 'g', 8, 64) }
