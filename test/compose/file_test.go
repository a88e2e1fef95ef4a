package compose

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// file is what docker-compose.yml says, as far as these tests read it.
type file struct {
	Services map[string]service
	Networks map[string]struct {
		IPAM struct {
			Config []struct{ Subnet string }
		} `yaml:"ipam"`
	}
	Volumes map[string]any
}

type service struct {
	Build    struct{ Target string }
	Networks map[string]struct {
		IPv4 string `yaml:"ipv4_address"`
	}
	Ports       []string
	Volumes     []string
	Environment map[string]string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Restart     string
	ReadOnly    bool     `yaml:"read_only"`
	CapAdd      []string `yaml:"cap_add"`
	CapDrop     []string `yaml:"cap_drop"`
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+):-([^}]*)\}`)

// read is docker-compose.yml with these variables in the environment.
func read(t *testing.T, environment map[string]string) file {
	t.Helper()

	raw, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}

	text := variable.ReplaceAllFunc(raw, func(found []byte) []byte {
		match := variable.FindSubmatch(found)
		if value := environment[string(match[1])]; value != "" {
			return []byte(value)
		}

		return match[2]
	})
	if at := bytes.Index(text, []byte("${")); at >= 0 {
		t.Fatalf("a variable without a default: %.40s", text[at:])
	}

	var f file
	if err := yaml.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}

	return f
}

// variables are those of a service, with its files in another folder where data is not empty.
func (f file) variables(name, data string) []string {
	var pairs []string
	for key, value := range f.Services[name].Environment {
		if data != "" && (strings.HasPrefix(value, "/data") || strings.HasPrefix(value, "/tmp")) {
			value = data + strings.TrimPrefix(strings.TrimPrefix(value, "/data"), "/tmp")
		}
		pairs = append(pairs, key+"="+value)
	}

	return pairs
}

func (f file) address(name string) string { return f.Services[name].Networks["ims"].IPv4 }

// order is one in which every service comes after those that it depends on.
func (f file) order() ([]string, error) {
	var order []string
	for len(order) < len(f.Services) {
		before := len(order)
		for _, name := range slices.Sorted(maps.Keys(f.Services)) {
			waits := slices.ContainsFunc(slices.Collect(maps.Keys(f.Services[name].DependsOn)), func(other string) bool {
				return !slices.Contains(order, other)
			})
			if !waits && !slices.Contains(order, name) {
				order = append(order, name)
			}
		}
		if len(order) == before {
			return nil, fmt.Errorf("services depend on each other, or on none that there is; %v could start", order)
		}
	}

	return order, nil
}
