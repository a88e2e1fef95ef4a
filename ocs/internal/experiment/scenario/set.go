package scenario

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// short are the names of the parameters that experiments are mostly about.
var short = map[string]string{
	"quota": "ocs.credit.quota", "quota_octets": "ocs.credit.quota_octets", "validity": "ocs.credit.validity",
	"supervision": "ocs.credit.supervision", "threshold": "ocs.credit.threshold", "overdraft": "ocs.credit.overdraft",
	"margin": "client.margin", "failure": "client.failure", "tx": "client.tx", "attempts": "client.attempts",
	"loss": "network.loss", "duplication": "network.duplication", "delay": "network.delay",
}

// Parameters are parameters with their values, in the order of the file.
type Parameters []Parameter

// Parameter is one of them: a setting by its short name or its path, and what it is set to.
type Parameter struct {
	Name  string `yaml:"name"`
	Value any    `yaml:"value"` // in a sweep a list
}

// UnmarshalYAML reads a map of the names.
func (p *Parameters) UnmarshalYAML(text []byte) error {
	var items yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &items, yaml.UseOrderedMap()); err != nil {
		return err
	}

	*p = nil
	for _, item := range items {
		*p = append(*p, Parameter{fmt.Sprint(item.Key), item.Value})
	}

	return nil
}

// MarshalYAML returns the same map.
func (p Parameters) MarshalYAML() (any, error) {
	items := yaml.MapSlice{}
	for _, parameter := range p {
		items = append(items, yaml.MapItem{Key: parameter.Name, Value: parameter.Value})
	}

	return items, nil
}

// Set sets a parameter by its short name, or by its path in the file, where parts of the population are named by name or number.
func (s *Scenario) Set(parameter string, value any) error {
	field, err := s.field(parameter)
	if err != nil {
		return fmt.Errorf("parameter %s: %w", parameter, err)
	}

	text, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("parameter %s: %w", parameter, err)
	}

	fresh := reflect.New(field.Type())
	if err := yaml.UnmarshalWithOptions(text, fresh.Interface(), yaml.Strict()); err != nil {
		return fmt.Errorf("parameter %s: %w", parameter, err)
	}

	field.Set(fresh.Elem())

	return nil
}

// Get returns the value of a parameter in one line.
func (s *Scenario) Get(parameter string) (string, error) {
	field, err := s.field(parameter)
	if err != nil {
		return "", fmt.Errorf("parameter %s: %w", parameter, err)
	}

	if duration, is := field.Interface().(time.Duration); is {
		return Short(duration), nil
	}

	text, err := yaml.MarshalWithOptions(field.Interface(), yaml.Flow(true))
	if err != nil {
		return "", fmt.Errorf("parameter %s: %w", parameter, err)
	}

	return strings.TrimSpace(string(text)), nil
}

// Short returns a duration without the zeros at its end: 3h, and not 3h0m0s.
func Short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}

	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}

	return text
}

func (s *Scenario) field(parameter string) (reflect.Value, error) {
	path := parameter
	if long, found := short[parameter]; found {
		path = long
	}

	return find(reflect.ValueOf(s).Elem(), strings.Split(path, "."))
}

var errNoSuch = errors.New("the scenario has no such setting")

// find returns the setting at a path.
func find(v reflect.Value, path []string) (reflect.Value, error) {
	if len(path) == 0 {
		return v, nil
	}

	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); name == path[0] {
				return find(v.Field(i), path[1:])
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if element := v.Index(i); strconv.Itoa(i) == path[0] || named(element, path[0]) {
				return find(element, path[1:])
			}
		}
	}

	return v, fmt.Errorf("%w: there is no %q", errNoSuch, path[0])
}

// named reports whether a group has this name, or a service is of this kind.
func named(v reflect.Value, name string) bool {
	switch element := v.Interface().(type) {
	case Group:
		return element.Name == name
	case Service:
		return element.Kind == name
	default:
		return false
	}
}
