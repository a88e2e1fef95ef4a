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
	Profiles    []string
	Command     []string
	Sysctls     map[string]string
	Healthcheck struct{ Test []string }
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

// TestDiameterPeersAreBound: without TLS a name is all that a Diameter peer shows. HSS and OCS take each name from its own address
// only, and the S-CSCF asks each of them for what it is there for.
func TestDiameterPeersAreBound(t *testing.T) {
	f := read(t, nil)
	peers := func(name string) (list []struct {
		Host         string
		Sources      []string
		Applications []uint32
	},
	) {
		t.Helper()
		if err := yaml.Unmarshal([]byte(f.Services[name].Environment["DIALTONE_"+strings.ToUpper(name)+"_DIAMETER_PEERS"]), &list); err != nil ||
			len(list) == 0 {
			t.Fatalf("%s: %v, %v", name, list, err)
		}

		return list
	}

	for _, name := range []string{"hss", "ocs"} {
		for _, p := range peers(name) {
			service, _, _ := strings.Cut(p.Host, ".")
			if want := []string{f.address(service)}; !slices.Equal(p.Sources, want) || want[0] == "" {
				t.Errorf("%s: %s may come from %v, want %v", name, p.Host, p.Sources, want)
			}
		}
	}
	for _, p := range peers("scscf") {
		if want := map[bool]uint32{true: 16777216, false: 4}[strings.HasPrefix(p.Host, "hss.")]; !slices.Equal(p.Applications, []uint32{want}) {
			t.Errorf("scscf: %s is asked for %v, want %d", p.Host, p.Applications, want)
		}
	}
}
