// Package records reads records to be provisioned, one after another, from a file in any usual form: a JSON object, a JSON array, JSON
// lines, or CSV with a header line.
package records

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Record is one record: its fields as JSON, and the line on which it begins.
type Record struct {
	Line   int
	Fields map[string]json.RawMessage
}

// Read calls f for each record in order, until it fails. numbers lists the CSV columns that hold numbers.
func Read(from io.Reader, numbers []string, f func(Record) error) error {
	text := bufio.NewReaderSize(from, 64<<10)

	first, err := firstOf(text)
	if errors.Is(err, io.EOF) {
		return errors.New("there is nothing in it")
	}

	if err != nil {
		return err
	}

	if first == '{' || first == '[' {
		return readJSON(text, first == '[', f)
	}

	return readCSV(text, numbers, f)
}

// firstOf returns the first character that is no blank, without consuming it.
func firstOf(text *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		seen, err := text.Peek(n)
		if err != nil {
			return 0, err
		}

		if !strings.ContainsRune(" \t\r\n", rune(seen[n-1])) {
			return seen[n-1], nil
		}
	}
}

// lines counts the lines that pass, to convert offsets to lines.
type lines struct {
	from   io.Reader
	passed int64   // octets
	ends   []int64 // offsets of line ends not yet looked up
	line   int     // number of the first of them
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)

	for rest, at := p[:n], l.passed; ; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}

		at += int64(end) + 1
		l.ends, rest = append(l.ends, at), rest[end+1:]
	}

	l.passed += int64(n)

	return n, err
}

// at returns the line of an offset; offsets must be ascending.
func (l *lines) at(offset int64) int {
	for len(l.ends) > 0 && l.ends[0] <= offset {
		l.ends, l.line = l.ends[1:], l.line+1
	}

	return l.line + 1
}

func readJSON(text io.Reader, array bool, f func(Record) error) error {
	counted := &lines{from: text}
	decoder := json.NewDecoder(counted)

	if array {
		if _, err := decoder.Token(); err != nil {
			return err
		}
	}

	for array && decoder.More() || !array {
		record := Record{}

		err := decoder.Decode(&record.Fields)
		if !array && errors.Is(err, io.EOF) {
			return nil
		}

		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("line %d: no JSON object: %w", counted.at(counted.passed), err)
		}

		record.Line = counted.at(decoder.InputOffset() - 1)

		if err != nil {
			return fmt.Errorf("line %d: no JSON object: %w", record.Line, err)
		}

		if err := f(record); err != nil {
			return err
		}
	}

	if _, err := decoder.Token(); err != nil { // the end of the array
		return fmt.Errorf("line %d: the array does not end: %w", counted.at(counted.passed), err)
	}

	if decoder.More() {
		return fmt.Errorf("line %d: there is more behind the array", counted.at(decoder.InputOffset()))
	}

	return nil
}

func readCSV(text io.Reader, numbers []string, f func(Record) error) error {
	rows := csv.NewReader(text)
	rows.TrimLeadingSpace, rows.ReuseRecord, rows.Comment = true, true, '#'

	head, err := rows.Read()
	if err != nil {
		return err
	}

	if len(head) == 1 && strings.ContainsAny(head[0], ";\t") {
		return fmt.Errorf("line 1: commas are needed between the columns: %q", head[0])
	}

	columns := slices.Clone(head)
	for i, column := range columns {
		columns[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(column, "\ufeff")))
		if columns[i] == "" || slices.Contains(columns[:i], columns[i]) {
			return fmt.Errorf("line 1: it names the columns, and column %d has no name of its own: %q", i+1, column)
		}
	}

	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return err // which names the line
		}

		line, _ := rows.FieldPos(0)
		record := Record{Line: line, Fields: map[string]json.RawMessage{}}

		for i, cell := range row {
			if cell = strings.TrimSpace(cell); cell == "" {
				continue
			}

			if slices.Contains(numbers, columns[i]) {
				if _, err := strconv.ParseFloat(cell, 64); err != nil || !json.Valid([]byte(cell)) {
					return fmt.Errorf("line %d: %s: %q is no number", line, columns[i], cell)
				}

				record.Fields[columns[i]] = json.RawMessage(cell)

				continue
			}

			quoted, err := json.Marshal(cell)
			if err != nil {
				return fmt.Errorf("line %d: %s: %w", line, columns[i], err)
			}

			record.Fields[columns[i]] = quoted
		}

		if err := f(record); err != nil {
			return err
		}
	}
}

// Into decodes the fields of a record, except those of others. An unknown field is an error.
func (r Record) Into(value any, others ...string) error {
	own := maps.Clone(r.Fields)
	for _, other := range others {
		delete(own, other)
	}

	text, err := json.Marshal(own)
	if err != nil {
		return fmt.Errorf("line %d: %w", r.Line, err)
	}

	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()

	err = decoder.Decode(value)

	var other *json.UnmarshalTypeError
	if errors.As(err, &other) {
		return fmt.Errorf("line %d: %s is %s, and must be %s", r.Line, other.Field, came(other.Value), kindOf(other.Type))
	}

	if err != nil {
		return fmt.Errorf("line %d: %w", r.Line, err)
	}

	return nil
}

// came returns in words the kind of value that encoding/json found; for a number out of range that includes the value.
func came(value string) string {
	words := map[string]string{"string": "text", "number": "a number", "array": "a list", "object": "an object", "bool": "true or false"}
	if word, found := words[value]; found {
		return word
	}

	return strings.TrimPrefix(value, "number ")
}

// kindOf returns a type in words.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a whole number"
	}
}

// Open opens a file of records, or the standard input, named "-".
func Open(name string, input io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(input), nil
	}

	return os.Open(name)
}

// String returns a text field, or "".
func (r Record) String(field string) string {
	var text string
	_ = json.Unmarshal(r.Fields[field], &text) // not there, or no text

	return text
}
