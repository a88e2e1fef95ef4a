package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Key is one setting: its dotted path in the file, its type, and its current value, as a file or the environment would write it.
type Key struct {
	Path  string
	Type  string
	Value string

	value reflect.Value
}

// Keys lists the settings of a configuration in the order of the file. A list or a map is one setting.
func Keys(c any) []Key {
	return keys(reflect.ValueOf(c).Elem(), "")
}

func keys(v reflect.Value, path string) []Key {
	if v.Kind() != reflect.Struct || implementsText(v.Type()) {
		return []Key{{Path: path, Type: typeName(v.Type()), Value: text(v), value: v}}
	}

	var found []Key

	for i, field := range fields(v.Type()) {
		if field.name == "" {
			found = append(found, keys(v.Field(i), path)...)
			continue
		}

		found = append(found, keys(v.Field(i), strings.TrimPrefix(path+"."+field.name, "."))...)
	}

	return found
}

// part is a field of a struct by the name that the file has for it, which is empty for a part that is inlined.
type part struct {
	name string
	of   reflect.Type
}

// fields returns those of a struct that a file can name, by their index.
func fields(t reflect.Type) func(func(int, part) bool) {
	return func(yield func(int, part) bool) {
		for i := range t.NumField() {
			field := t.Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")

			switch {
			case !field.IsExported() || name == "-":
				continue
			case name == "" && options != "inline":
				panic(fmt.Sprintf("config: %s.%s has no yaml tag", t, field.Name))
			}

			if !yield(i, part{name, field.Type}) {
				return
			}
		}
	}
}

func implementsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// text returns a value in YAML, on one line and without what is empty in it.
func text(v reflect.Value) string {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return short(v.Interface().(time.Duration))
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Slice && v.Len() == 0:
		return "[]"
	case v.Kind() == reflect.Map && v.Len() == 0:
		return "{}"
	}

	written, err := yaml.MarshalWithOptions(
		v.Interface(), yaml.Flow(true), yaml.OmitEmpty(), yaml.OmitZero(),
		yaml.CustomMarshaler(func(d time.Duration) ([]byte, error) { return []byte(short(d)), nil }),
	)
	if err != nil {
		return fmt.Sprint(v.Interface())
	}

	return strings.TrimSpace(string(written))
}

// short returns a duration without the zeros at its end: 2h instead of 2h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}

	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}

	return s
}

// typeName returns a type as a page says it, with the fields of a list's elements: list of {host, realm, tls: {key, ca}}.
func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "map of " + typeName(t.Elem())
	case t.Kind() == reflect.Struct && !implementsText(t):
		var parts []string

		for _, field := range fields(t) {
			if kind := typeName(field.of); strings.HasPrefix(kind, "{") {
				parts = append(parts, field.name+": "+kind)
			} else {
				parts = append(parts, field.name)
			}
		}

		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return plainName(t)
	}
}

// plainName returns what a file writes for a type that is neither a list nor a group, whatever the program calls it.
func plainName(t reflect.Type) string {
	switch kind := t.Kind(); {
	case implementsText(t):
		return "string"
	case kind >= reflect.Int && kind <= reflect.Float64:
		return "number"
	default:
		return kind.String()
	}
}
