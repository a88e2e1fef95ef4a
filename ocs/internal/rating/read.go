package rating

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	t, source, faults := parse(text)
	if len(faults) > 0 {
		return nil, faults
	}

	p, err := Compile(t)
	if err == nil {
		return p, nil
	}

	if errors.As(err, &faults) {
		return nil, source.locate(faults)
	}

	return nil, err
}

// parse reads a plan without judging it. With faults it returns what can be judged none the less, nil if that is nothing.
func parse(text []byte) (*Tariff, *source, Faults) {
	if len(text) > maxFile {
		return nil, nil, Faults{{Text: fmt.Sprintf("a plan has at most %d octets", maxFile)}}
	}

	if start := bytes.TrimSpace(text); len(start) > 0 && start[0] == '{' { // JSON is YAML but for its tabs, which strings cannot have
		text = bytes.ReplaceAll(text, []byte{'\t'}, []byte{' '})
	}

	s := &source{text: text}
	faults := s.shape()

	options := []yaml.DecodeOption{yaml.Strict()}
	if len(faults) > 0 {
		options = nil // unknown keys are among the faults
	}

	t := new(Tariff)
	if err := yaml.NewDecoder(bytes.NewReader(text), options...).Decode(t); err != nil {
		if len(faults) == 0 {
			faults = unread(err)
		}

		return nil, nil, faults
	}

	faults = append(faults, s.whole()...)
	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Line - b.Line })

	return t, s, faults
}

// unread returns why a plan could not be read, in the words of a plan.
func unread(err error) Faults {
	var faults Faults
	if errors.As(err, &faults) {
		return faults
	}

	if errors.Is(err, io.EOF) {
		return Faults{{Text: "it is empty: a plan has rates"}}
	}

	var positioned yaml.Error
	if !errors.As(err, &positioned) || positioned.GetToken() == nil {
		return Faults{{Text: err.Error()}}
	}

	message := positioned.GetMessage()
	if strings.Contains(message, " Go ") { // into Go value of type uint32 (overflow)
		message = fmt.Sprintf("%q cannot stand here", positioned.GetToken().Value)
	}

	return Faults{{Line: positioned.GetToken().Position.Line, Text: message}}
}

// whole refuses fractions, which the decoder would cut off. Percentages have read theirs already.
func (s *source) whole() (faults Faults) {
	if body := s.body(); body != nil {
		ast.Walk(fractions{&faults}, body)
	}

	return faults
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

func (s *source) locate(faults Faults) Faults {
	for i := range faults {
		if faults[i].Line == 0 {
			faults[i].Line = s.line(faults[i].Path)
		}
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
