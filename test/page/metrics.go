package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics holds pages to the metrics of a function, also those that have no value yet: each stands in its pages or in that of all, and no
// page names another one of its name.
func (p *Page) Metrics(registry *prometheus.Registry, function string) {
	p.t.Helper()

	for _, fault := range metrics(described(registry), function, p.read(p.names...), p.read(sharedPage), p.read(everyPage(p.t)...)) {
		p.t.Error(fault)
	}
}

// ours begins the name of every metric of this project, but for those of Go and of the process.
const ours = "dialtone_"

var metricNamed = regexp.MustCompile(ours + `([a-z0-9]+)_[a-z0-9_]*`)

// metrics returns what is wrong with what the pages say of metrics.
func metrics(names []string, function string, own, shared, others map[string]string) (faults []string) {
	if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, ours+function+"_") }) {
		faults = append(faults, "there is no metric "+ours+function+"_…")
	}

	for _, name := range names {
		if !strings.HasPrefix(name, ours) {
			continue
		}

		if asCode := "`" + name + "`"; !contains(own, asCode) && (strings.HasPrefix(name, ours+function+"_") || !contains(shared, asCode)) {
			faults = append(faults, fmt.Sprintf("the metric %s is not named", name))
		}
	}

	for page, text := range others {
		for _, match := range metricNamed.FindAllStringSubmatch(text, -1) {
			family := ours + match[1] + "_"
			has := func(name string) bool { return strings.HasPrefix(name, family) }
			_, mine := own[page]

			if match[1] != function && !slices.ContainsFunc(names, has) && !mine { // another function's
				continue
			}

			if !slices.Contains(names, match[0]) && match[0] != family {
				faults = append(faults, fmt.Sprintf("docs/%s names %s, which there is not", page, match[0]))
			}
		}
	}

	slices.Sort(faults)

	return faults
}

func contains(pages map[string]string, what string) bool {
	for _, text := range pages {
		if strings.Contains(text, what) {
			return true
		}
	}

	return false
}

// described returns the names of all metrics of a registry.
func described(registry *prometheus.Registry) (names []string) {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()

	for description := range descriptions {
		_, rest, _ := strings.Cut(description.String(), `fqName: "`)
		name, _, _ := strings.Cut(rest, `"`)
		names = append(names, name)
	}

	slices.Sort(names)

	return slices.Compact(names)
}
