package rating

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile is the longest text of a plan.
const maxFile = 16 << 20

// Read reads a plan in YAML or JSON, and compiles it. Its Faults have lines, and a key that is not known is one.
func Read(text []byte) (*Plan, error) {
	t, source, err := parse(text)
	if err != nil {
		return nil, err
	}

	p, err := Compile(t)

	return p, source.locate(err)
}

// parse reads a plan without judging it.
func parse(text []byte) (*Tariff, *source, error) {
	if len(text) > maxFile {
		return nil, nil, Faults{{Text: fmt.Sprintf("a plan has at most %d octets", maxFile)}}
	}

	if start := bytes.TrimSpace(text); len(start) > 0 && start[0] == '{' { // JSON is YAML but for its tabs, which strings cannot have
		text = bytes.ReplaceAll(text, []byte{'\t'}, []byte{' '})
	}

	t := new(Tariff)
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(t); err != nil {
		var faults Faults
		if errors.As(err, &faults) {
			return nil, nil, faults
		}

		var positioned yaml.Error
		if !errors.As(err, &positioned) || positioned.GetToken() == nil {
			return nil, nil, Faults{{Text: err.Error()}}
		}

		return nil, nil, Faults{{Line: positioned.GetToken().Position.Line, Text: positioned.GetMessage()}}
	}

	s := &source{text: text}
	if err := s.whole(); err != nil {
		return nil, nil, err
	}

	return t, s, nil
}

// whole refuses fractions, which the decoder would cut off. Percentages have read theirs already.
func (s *source) whole() error {
	var faults Faults

	if body := s.body(); body != nil {
		ast.Walk(fractions{&faults}, body)
	}

	if len(faults) > 0 {
		return faults
	}

	return nil
}

type fractions struct{ faults *Faults }

// Visit notes a fraction.
func (f fractions) Visit(node ast.Node) ast.Visitor {
	if entry, is := node.(*ast.MappingValueNode); is && entry.Key.GetToken().Value == "percent" {
		return nil
	}

	switch node.(type) {
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		token := node.GetToken()
		*f.faults = append(*f.faults, Fault{Line: token.Position.Line, Text: fmt.Sprintf(
			"%s is no whole number: prices are in minor units, or with decimals: 2 in hundredths of them", token.Value,
		)})
	}

	return f
}

// source finds lines in the text of a plan.
type source struct {
	text []byte
	file *ast.File
}

func (s *source) locate(err error) error {
	var faults Faults
	if !errors.As(err, &faults) {
		return err
	}

	for i := range faults {
		faults[i].Line = s.line(faults[i].Path)
	}

	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Line - b.Line })

	return faults
}

// body returns the document, nil if there is none.
func (s *source) body() ast.Node {
	if s.file == nil {
		file, err := parser.ParseBytes(s.text, 0)
		if err != nil {
			return nil
		}

		s.file = file
	}

	if len(s.file.Docs) == 0 || s.file.Docs[0].Body == nil {
		return nil
	}

	return s.file.Docs[0].Body
}

var step = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)

// line returns the line of a path, or of the part of it that is written.
func (s *source) line(path string) int {
	node, line := s.body(), 1
	if node == nil {
		return 0
	}

	for _, name := range step.FindAllString(path, -1) {
		key, next := child(node, name)
		if next == nil {
			break
		}

		if key == nil {
			key = next
		}

		if mapping, is := key.(*ast.MappingNode); is && len(mapping.Values) > 0 {
			key = mapping.Values[0].Key
		}

		node, line = next, key.GetToken().Position.Line
	}

	return line
}

// child returns an entry of a mapping, with its key, or of a sequence.
func child(node ast.Node, name string) (key, value ast.Node) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, entry := range n.Values {
			if strings.Trim(entry.Key.GetToken().Value, `"'`) == name {
				return entry.Key, entry.Value
			}
		}
	case *ast.MappingValueNode:
		if strings.Trim(n.Key.GetToken().Value, `"'`) == name {
			return n.Key, n.Value
		}
	case *ast.SequenceNode:
		index := 0
		if _, err := fmt.Sscanf(name, "[%d]", &index); err == nil && index < len(n.Values) {
			return nil, n.Values[index]
		}
	}

	return nil, nil
}
