package scenario

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/traffic"
)

const good = `name: good
duration: 1h
sweep:
  quota: [10s, 30s]
  population.all.services.call.vanish: [0, 0.5]
short: {duration: 1m, population.all.count: 1}
tariffs: {standard: {rates: [{prefix: "", price: 1, interval: 1}]}}
population:
  - name: all
    count: 10
    services:
      - kind: call
        arrivals: {process: poisson, per_day: 10}
        holding: {distribution: exponential, mean: 60s}
`

func write(t *testing.T, text string) string {
	t.Helper()

	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	return file
}

// The last parameter changes first, each point has its own values, and the scenario itself keeps the ones it had.
func TestPoints(t *testing.T) {
	s, err := Load(write(t, good), Options{})
	if err != nil {
		t.Fatal(err)
	}

	points, err := s.Points()
	if err != nil {
		t.Fatal(err)
	}

	want := []string{"10s 0", "10s 0.5", "30s 0", "30s 0.5"}
	for i, p := range points {
		if got := strings.Join(p.Values, " "); got != want[i] {
			t.Errorf("point %d is %s, want %s", i, got, want[i])
		}
	}

	last := points[3].Scenario
	if last.OCS.Credit.Quota != 30*time.Second || last.Population[0].Services[0].Vanish != 0.5 ||
		points[3].Name != "quota=30s,population.all.services.call.vanish=0.5" {
		t.Errorf("%+v", points[3])
	}

	if s.OCS.Credit.Quota != time.Minute || s.Population[0].Services[0].Vanish != 0 {
		t.Error("the points have changed the scenario")
	}
}

func TestOptions(t *testing.T) {
	s, err := Load(write(t, good), Options{Short: true, Repetitions: 3, Seed: 7, Set: []string{"failure=retry", "network.loss=0.25"}})
	if err != nil {
		t.Fatal(err)
	}

	if s.Duration != time.Minute || s.Population[0].Count != 1 || s.Repetitions != 3 || s.Seed != 7 || s.Client.Failure != FailureRetry ||
		s.Network.Loss != 0.25 {
		t.Errorf("%+v", s)
	}

	if s.Grain() != time.Second {
		t.Errorf("a minute has a grain of %s", s.Grain())
	}

	if s.Duration = 12 * time.Hour; s.Grain() != 4*time.Second {
		t.Errorf("half a day has a grain of %s", s.Grain())
	}

	if s.Duration = 30 * 24 * time.Hour; s.Grain() != 9*time.Second {
		t.Errorf("a month has a grain of %s", s.Grain())
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{"duration: 1h", "duration: 1h\nquotas: 3", `unknown field "quotas"`},
		{"duration: 1h", "duration: soon", "line 2: duration"},
		{"duration: 1h", "duration: 1ms", "duration: from 1s"},
		{"duration: 1h", "duration: 1h\ntime: fast", `time: "fast" is neither`},
		{"duration: 1h", "duration: 1h\nwarm_up: 2h", "warm_up less"},
		{"duration: 1h", "duration: 1h\nclient: {failure: cry}", `client.failure: "cry"`},
		{"duration: 1h", "duration: 1h\nnetwork: {loss: 2}", "network: loss"},
		{"duration: 1h", "duration: 1h\nnetwork: {delay: {distribution: odd}}", `network.delay: distribution "odd"`},
		{"duration: 1h", "duration: 1h\nocs: {run: process}", "in virtual time the OCS runs inside"},
		{"duration: 1h", "duration: 1h\nocs: {run: none}\ntime: real", "ocs.address"},
		{"duration: 1h", "duration: 1h\nocs: {credit: {quota: 0s}}", "credit: quota must be"},
		{"duration: 1h", "duration: 1h\noutages: [{at: 1m, for: 1m, kind: war}]", `kind "war"`},
		{"duration: 1h", "duration: 1h\noutages: [{at: 5m, for: 2m, kind: kill}, {at: 6m, for: 1m, kind: kill}]", "one after the other"},
		{"duration: 1h", "duration: 1h\nsessions: [xml]", `sessions: "xml"`},
		{"quota: [10s, 30s]", "quotum: [1s]", `parameter quotum: the scenario has no such setting: there is no "quotum"`},
		{"quota: [10s, 30s]", "quota: 10s", "sweep: quota needs a list"},
		{"quota: [10s, 30s]", "quota: [10s, much]", "sweep: parameter quota"},
		{"quota: [10s, 30s]", "quota: [10s, 1ms]", "sweep: quota=1ms"},
		{"count: 10", "count: 0", "population.all: count must be"},
		{"per_day: 10", "per_day: 0", "per_day must be positive"},
		{"kind: call", "kind: fax", `services.0: kind "fax"`},
		{"mean: 60s", "mean: 0", "holding: a exponential distribution"},
		{"count: 10", "count: 10\n    tariff: gold", `tariff "gold" is not among`},
		{"count: 10", "count: 10\n    top_up: {amount: 5}", "top_up: every or after"},
		{`tariffs: {standard: {rates: [{prefix: "", price: 1, interval: 1}]}}`, "", "tariffs: without one"},
	} {
		text := strings.Replace(good, test.from, test.to, 1)
		if text == good {
			t.Fatalf("%s is not in the scenario", test.from)
		}

		if _, err := Load(write(t, text), Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s:\n%v\nwant %s", test.to, err, test.want)
		}
	}

	for set, want := range map[string]string{"quota": "is not parameter=value", "quota=x": "parameter quota", "a.b=1": `there is no "a"`} {
		if _, err := Load(write(t, good), Options{Set: []string{set}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--set %s: %v, want %s", set, err, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	random, drawn := traffic.Stream(1), map[string]int{}
	v := &Service{Numbers: []Number{{Prefix: "+1555"}, {Prefix: "+49301234567", Weight: 3}}}

	for range 4000 {
		drawn[v.Draw(random)]++
	}

	if len(drawn) != 2 || drawn["+15550001"] < 900 || drawn["+15550001"] > 1100 || drawn["+49301234567"] < 2900 {
		t.Errorf("%v", drawn)
	}

	if got := (&Service{}).Draw(random); got != usualNumber {
		t.Error(got)
	}
}

// The page names every setting of a scenario.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/experiments/README.md")
	if err != nil {
		t.Fatal(err)
	}

	var look func(of reflect.Type, path string)
	look = func(of reflect.Type, path string) {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
			field := of.Field(i).Type

			switch {
			case name == "" || name == "top_up":
			case field == reflect.TypeFor[OCS]() || field == reflect.TypeFor[Client]() || field == reflect.TypeFor[Network]():
				look(field, name+".")
			case !strings.Contains(string(text), "`"+path+name+"`") && !strings.Contains(string(text), path+name+": "):
				t.Errorf("the page does not name %s%s", path, name)
			case field == reflect.TypeFor[[]Group]() || field == reflect.TypeFor[[]Service]() || field == reflect.TypeFor[[]Outage]():
				look(field.Elem(), "")
			}
		}
	}
	look(reflect.TypeFor[Scenario](), "")

	for name := range short {
		if !regexp.MustCompile(`\b` + name + `\b`).Match(text) {
			t.Errorf("the page does not name the parameter %s", name)
		}
	}
}
