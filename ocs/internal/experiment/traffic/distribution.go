package traffic

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
)

// Distribution is that of a holding time, a volume or a delay.
type Distribution struct {
	Kind      string     `yaml:"distribution"` // constant, uniform, exponential, lognormal or empirical
	Mean      Quantity   `yaml:"mean"`         // but for uniform and empirical
	Deviation Quantity   `yaml:"deviation"`    // standard deviation of a lognormal one
	From      Quantity   `yaml:"from"`         // of a uniform one
	To        Quantity   `yaml:"to"`           //
	Values    []Quantity `yaml:"values"`       // of an empirical one, each as likely
	File      string     `yaml:"file"`         // of these values instead, one on a line
	Most      Quantity   `yaml:"most"`         // what is larger is cut to this; 0: nothing is
}

// The kinds of distributions.
const (
	constant    = "constant"
	uniform     = "uniform"
	exponential = "exponential"
	lognormal   = "lognormal"
	empirical   = "empirical"
)

// maxValues is the most values of an empirical distribution.
const maxValues = 1_000_000

// Is reports whether the distribution is given.
func (d *Distribution) Is() bool { return d.Kind != "" }

// Prepare returns an error if nothing can be drawn, and reads the values of an empirical distribution. Files are named from a folder.
func (d *Distribution) Prepare(open func(name string) (*os.File, error)) error {
	switch d.Kind {
	case constant, exponential:
		if d.Mean < 0 || d.Kind == exponential && d.Mean == 0 {
			return fmt.Errorf("a %s distribution needs a positive mean", d.Kind)
		}
	case uniform:
		if d.From < 0 || d.To < d.From {
			return errors.New("a uniform distribution needs from and to, in order and not negative")
		}
	case lognormal:
		if d.Mean <= 0 || d.Deviation <= 0 {
			return errors.New("a lognormal distribution needs a positive mean and deviation")
		}
	case empirical:
		return d.read(open)
	default:
		return fmt.Errorf("distribution %q is none of %s, %s, %s, %s, %s", d.Kind, constant, uniform, exponential, lognormal, empirical)
	}

	return nil
}

func (d *Distribution) read(open func(name string) (*os.File, error)) error {
	if d.File != "" {
		file, err := open(d.File)
		if err != nil {
			return err
		}
		defer file.Close()

		d.Values = nil

		lines := bufio.NewScanner(file)
		for n := 1; lines.Scan(); n++ {
			text := strings.TrimSpace(lines.Text())
			if text == "" || text[0] == '#' {
				continue
			}

			value, err := strconv.ParseFloat(text, 64)
			if err != nil || len(d.Values) == maxValues {
				return fmt.Errorf("%s, line %d: %q is no number, or one of more than %d", d.File, n, text, maxValues)
			}

			d.Values = append(d.Values, Quantity(value))
		}

		if err := lines.Err(); err != nil {
			return fmt.Errorf("%s: %w", d.File, err)
		}
	}

	if len(d.Values) == 0 {
		return errors.New("an empirical distribution needs values, or a file of them")
	}

	for _, value := range d.Values {
		if !(value >= 0) || math.IsInf(float64(value), 1) {
			return fmt.Errorf("%v cannot be drawn: it is negative, or no number", value)
		}
	}

	return nil
}

// Draw draws a value, which is never negative.
func (d *Distribution) Draw(r *rand.Rand) float64 {
	value := d.draw(r)
	if d.Most > 0 {
		value = min(value, float64(d.Most))
	}

	return value
}

func (d *Distribution) draw(r *rand.Rand) float64 {
	switch d.Kind {
	case uniform:
		return float64(d.From) + r.Float64()*float64(d.To-d.From)
	case exponential:
		return r.ExpFloat64() * float64(d.Mean)
	case lognormal:
		ratio := float64(d.Deviation / d.Mean)
		variance := math.Log1p(ratio * ratio)

		return math.Exp(math.Log(float64(d.Mean)) - variance/2 + r.NormFloat64()*math.Sqrt(variance))
	case empirical:
		return float64(d.Values[r.IntN(len(d.Values))])
	default:
		return float64(d.Mean)
	}
}
