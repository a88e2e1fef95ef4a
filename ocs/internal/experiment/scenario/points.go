package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// Point is one combination of the values of the sweep.
type Point struct {
	Name     string   // "quota=10s,loss=0.1", or "all" of a scenario without a sweep
	Values   []string // in the order of the sweep
	Scenario *Scenario
}

// maxPoints is the most points of a sweep.
const maxPoints = 10_000

// Parameters returns the names of the parameters that are swept over.
func (s *Scenario) Parameters() (names []string) {
	for _, item := range s.Sweep {
		names = append(names, item.Name)
	}

	return names
}

// Points returns all points of the sweep. The last parameter changes first.
func (s *Scenario) Points() ([]Point, error) {
	points := []Point{{Scenario: s}}

	for _, item := range s.Sweep {
		values, ok := item.Value.([]any)
		if !ok || len(values) == 0 || len(values)*len(points) > maxPoints {
			return nil, fmt.Errorf("sweep: %s needs a list of values, and there may be %d points in all", item.Name, maxPoints)
		}

		var more []Point

		for _, point := range points {
			for _, value := range values {
				next := Point{Values: append(slices.Clone(point.Values), fmt.Sprint(value)), Scenario: point.Scenario.clone()}
				if err := next.Scenario.Set(item.Name, value); err != nil {
					return nil, fmt.Errorf("sweep: %w", err)
				}

				more = append(more, next)
			}
		}

		points = more
	}

	for i := range points {
		points[i].Name = points[i].name(s.Parameters())

		if err := points[i].Scenario.Validate(); err != nil {
			return nil, fmt.Errorf("sweep: %s: %w", points[i].Name, err)
		}
	}

	return points, nil
}

func (p *Point) name(parameters []string) string {
	if len(parameters) == 0 {
		return "all"
	}

	parts := make([]string, len(parameters))
	for i, parameter := range parameters {
		parts[i] = parameter + "=" + p.Values[i]
	}

	return strings.Join(parts, ",")
}

// clone returns a copy of which any setting can be changed.
func (s *Scenario) clone() *Scenario {
	copied := *s
	copied.Outages = slices.Clone(s.Outages)

	copied.Population = slices.Clone(s.Population)
	for i := range copied.Population {
		services := slices.Clone(copied.Population[i].Services)
		for j := range services {
			services[j].Numbers = slices.Clone(services[j].Numbers)
		}

		copied.Population[i].Services = services
	}

	return &copied
}
