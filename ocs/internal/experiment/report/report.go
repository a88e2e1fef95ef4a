// Package report makes a page of the results of an experiment: the question, plots, figures with confidence intervals, the scenario. It
// needs nothing from elsewhere.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// Write writes report.html, the plots and the summary to a folder. missing is how many runs there are not.
func Write(folder string, s *scenario.Scenario, runs []*results.Run, missing int) error {
	d := &data{scenario: s, parameters: s.Parameters(), points: results.Summarise(runs)}

	if err := results.SaveSummary(folder, d.parameters, d.points); err != nil {
		return err
	}

	text, err := os.ReadFile(filepath.Join(folder, "scenario.yaml"))
	if err != nil {
		return err
	}

	var figures []figure
	if len(d.points) > 0 {
		if figures, err = d.plots(folder); err != nil {
			return err
		}
	}

	var b bytes.Buffer

	err = pageTemplate.Execute(&b, map[string]any{
		"Name": s.Name, "Question": s.Question, "Scenario": string(text), "Plots": figures, "Parameters": d.parameters, "Rows": d.rows(),
		"Figures": d.shown(), "Runs": len(runs), "Missing": missing, "Repetitions": s.Repetitions, "Duration": scenario.Short(s.Duration),
		"Time": s.Time, "Seed": s.Seed,
	})
	if err != nil {
		return err
	}

	return results.Replace(filepath.Join(folder, "report.html"), b.Bytes())
}

type figure struct {
	Title, Caption, File string
	SVG                  template.HTML
}

func (d *data) plots(folder string) (figures []figure, err error) {
	wanted := d.scenario.Plots
	if len(wanted) == 0 {
		wanted = names()
	}

	for _, name := range wanted {
		i := slices.IndexFunc(charts, func(c chart) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("plots: there is none named %q; there are %v", name, names())
		}

		c := &charts[i]
		if d.empty(c) {
			continue
		}

		drawn, err := d.drawn(c)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", name, err)
		}

		if drawn == nil {
			continue
		}

		svg, err := drawn.save(folder, name)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", name, err)
		}

		figures = append(figures, figure{c.title, c.caption, name + ".png", template.HTML(svg)}) //nolint:gosec // our own drawing
	}

	return figures, nil
}

func (d *data) drawn(c *chart) (*drawing, error) {
	if c.plotted != nil {
		return c.plotted(d, c)
	}

	drawn, err := d.against(c)
	if err == nil && c.name == "idle" {
		drawn.plot.Y.Label.Text = strings.Replace(drawn.plot.Y.Label.Text, "units", d.unit(), 1)
	}

	return drawn, err
}

// unit returns what all sessions of the scenario use.
func (d *data) unit() string {
	kinds := map[string]bool{}

	for _, group := range d.scenario.Population {
		for _, service := range group.Services {
			kinds[service.Kind] = true
		}
	}

	switch {
	case kinds[scenario.Data] && !kinds[scenario.Call]:
		return "octets"
	case kinds[scenario.Call] && !kinds[scenario.Data]:
		return "seconds"
	default:
		return "units"
	}
}

// shown returns the figures that are not zero everywhere.
func (d *data) shown() (all []results.Figure) {
	for _, f := range results.Figures {
		if slices.ContainsFunc(d.points, func(p *results.Point) bool { return p.Estimates[f.Name].Mean != 0 }) {
			all = append(all, f)
		}
	}

	return all
}

// rows returns a row for each figure: its name, and what it is at each point.
func (d *data) rows() (rows [][]string) {
	for _, f := range d.shown() {
		name := strings.ReplaceAll(strings.TrimSuffix(f.Name, "_ms"), "_", " ")
		if f.Unit != "" {
			name += ", " + f.Unit
		}

		row := []string{name, f.Text}

		for _, p := range d.points {
			e := p.Estimates[f.Name]
			cell := short(e.Mean)

			if e.N > 1 {
				cell += " ± " + short(e.Half)
			}

			row = append(row, cell)
		}

		rows = append(rows, row)
	}

	head := []string{"", ""}
	for _, p := range d.points {
		head = append(head, p.Name)
	}

	return append([][]string{head}, rows...)
}
