package rating

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// shape compares the text with what a plan may have: it finds all keys that are not known, values of another kind, and prefixes that are
// numbers.
func (s *source) shape() Faults {
	var f former
	if body := s.body(); body != nil {
		f.value(body, reflect.TypeFor[Tariff](), "")
	}

	return f.faults
}

type former struct{ faults Faults }

// add notes a fault of the value at a path; nothing else is then said of the rate, or of the list, that it is in.
func (f *former) add(node ast.Node, path, format string, values ...any) {
	of := path
	if of == "" {
		of = whole // it may be any part that the key should have begun
	} else if end := strings.IndexByte(path, ']'); end > 0 {
		of = path[:end+1]
	}

	f.faults = append(f.faults, Fault{Line: node.GetToken().Position.Line, Text: fmt.Sprintf(format, values...), of: of})
}

func (f *former) value(node ast.Node, is reflect.Type, path string) {
	switch n := node.(type) {
	case *ast.AnchorNode:
		f.value(n.Value, is, path)
		return
	case *ast.AliasNode, *ast.TagNode, *ast.NullNode, nil: // the decoder judges those
		return
	}

	if is == reflect.TypeFor[Percent]() {
		return
	}

	switch is.Kind() {
	case reflect.Pointer:
		f.value(node, is.Elem(), path)
	case reflect.Struct, reflect.Map:
		f.mapping(node, is, path)
	case reflect.Slice:
		list, fits := node.(*ast.SequenceNode)
		if !fits {
			f.add(node, path, "%s is a list: write it in brackets, or after dashes", last(path))
			return
		}

		for i, entry := range list.Values {
			f.value(entry, is.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		f.scalar(node, is, path)
	}
}

func (f *former) mapping(node ast.Node, is reflect.Type, path string) {
	var entries []*ast.MappingValueNode

	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		f.add(node, path, "%s has fields of its own, as name: value", last(path))
		return
	}

	for _, entry := range entries {
		if _, merged := entry.Key.(*ast.MergeKeyNode); merged {
			continue
		}

		name := strings.Trim(entry.Key.GetToken().Value, `"'`)
		below := strings.TrimPrefix(path+"."+name, ".")

		if is.Kind() == reflect.Map {
			f.value(entry.Value, is.Elem(), below)
		} else if field := fieldOf(is, name); field != nil {
			f.value(entry.Value, field, below)
		} else {
			f.add(entry.Key, path, "unknown field %q", name)
		}
	}
}

// fieldOf returns the type of a field by its name in YAML, nil if there is none.
func fieldOf(is reflect.Type, name string) reflect.Type {
	for _, field := range reflect.VisibleFields(is) {
		if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key == name && key != "" {
			return field.Type
		}
	}

	return nil
}

func (f *former) scalar(node ast.Node, is reflect.Type, path string) {
	text := node.GetToken().Value

	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		f.add(node, path, "%s is a single value", last(path))
		return
	}

	switch is.Kind() {
	case reflect.String:
		_, quoted := node.(*ast.StringNode)
		_, block := node.(*ast.LiteralNode)

		if isPrefix(path) && !quoted && !block {
			f.add(node, path, "the prefix %s is a number to YAML, and loses its + and its zeros: write it in quotes, %q", text, text)
		}
	case reflect.Bool:
		if _, fits := node.(*ast.BoolNode); !fits {
			f.add(node, path, "%s is true or false, not %q", last(path), text)
		}
	default:
		switch node.(type) {
		case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
			if strings.HasPrefix(text, "-") && is.Kind() >= reflect.Uint && is.Kind() <= reflect.Uint64 {
				f.add(node, path, "%s is not below 0: %s", last(path), text)
			}
		default:
			if _, err := strconv.ParseInt(text, 10, 64); err != nil {
				f.add(node, path, "%s is a whole number, not %q", last(path), text)
			}
		}
	}
}

// isPrefix reports whether a prefix of numbers is at a path.
func isPrefix(path string) bool {
	return strings.HasPrefix(path, "destinations.") || strings.HasPrefix(path, "groups.") ||
		strings.HasPrefix(path, "rates[") && last(path) == "prefix"
}

// last returns the name at the end of a path.
func last(path string) string {
	if path == "" {
		return "a plan"
	}

	return place(path[strings.LastIndexByte(path, '.')+1:])
}
