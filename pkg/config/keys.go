package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Key is one setting: the dotted path by which the file names it, its type, and the value it has now.
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
	if v.Kind() != reflect.Struct || implementsText(v) {
		return []Key{{Path: path, Type: typeName(v.Type()), Value: fmt.Sprint(v.Interface()), value: v}}
	}

	var found []Key

	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}

		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")

		switch {
		case name == "-":
		case options == "inline":
			found = append(found, keys(v.Field(i), path)...)
		case name == "":
			panic(fmt.Sprintf("config: %s.%s has no yaml tag", v.Type(), field.Name))
		default:
			found = append(found, keys(v.Field(i), strings.TrimPrefix(path+"."+name, "."))...)
		}
	}

	return found
}

func implementsText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "map of " + typeName(t.Elem())
	default:
		return strings.ToLower(t.Name())
	}
}
