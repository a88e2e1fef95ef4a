// Package fsm runs state machines written as tables. A table can be stepped and printed; its user implements the actions.
// Package transcript tests a program against its table, and the table for gaps.
package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// Named is the type of states, events and actions: small values with a name.
type Named interface {
	comparable
	fmt.Stringer
}

// Row is the effect of an event in a state, and its source.
type Row[S, E, A Named] struct {
	Source string // clause of the specification
	From   S
	Event  E
	To     S
	Do     []A
	Why    string // set for a row that ignores the event on purpose
}

// On returns a row: in state from, the event leads to state to, and the actions are done in their order.
func On[S, E, A Named](source string, from S, event E, to S, do ...A) Row[S, E, A] {
	return Row[S, E, A]{Source: source, From: from, Event: event, To: to, Do: do}
}

// Ignore returns a row in which an event changes nothing in a state, and why.
func Ignore[A, S, E Named](from S, event E, why string) Row[S, E, A] {
	return Row[S, E, A]{From: from, Event: event, To: from, Why: why}
}

// Machine is a table of rows. It has no state of its own: an Instance has.
type Machine[S, E, A Named] struct {
	rows    []Row[S, E, A]
	index   map[pair[S, E]]int
	observe func(row Row[S, E, A], found bool)
}

type pair[S, E comparable] struct {
	state S
	event E
}

// New returns the machine of these rows. Two rows for one state and event are a programming error: it panics.
func New[S, E, A Named](rows ...Row[S, E, A]) *Machine[S, E, A] {
	m := &Machine[S, E, A]{rows: rows, index: make(map[pair[S, E]]int, len(rows))}

	for i, row := range rows {
		at := pair[S, E]{row.From, row.Event}
		if _, twice := m.index[at]; twice {
			panic(fmt.Sprintf("fsm: two rows for %s in state %s", row.Event, row.From))
		}

		m.index[at] = i
	}

	return m
}

// Step returns the row for an event in a state. ok is false if there is none: then nothing may be done.
func (m *Machine[S, E, A]) Step(state S, event E) (row Row[S, E, A], ok bool) {
	i, ok := m.index[pair[S, E]{state, event}]
	if !ok {
		return Row[S, E, A]{From: state, Event: event, To: state}, false
	}

	return m.rows[i], true
}

// Rows returns the rows in the order in which they were written.
func (m *Machine[S, E, A]) Rows() []Row[S, E, A] { return slices.Clone(m.rows) }

// Observed returns the same table, whose instances also report each step to observe: the row, and whether there was one. Tests use it.
func (m *Machine[S, E, A]) Observed(observe func(row Row[S, E, A], found bool)) *Machine[S, E, A] {
	both := observe
	if before := m.observe; before != nil {
		both = func(row Row[S, E, A], found bool) { before(row, found); observe(row, found) }
	}

	return &Machine[S, E, A]{rows: m.rows, index: m.index, observe: both}
}

// String returns the table in Markdown, for the manual.
func (m *Machine[S, E, A]) String() string {
	var b strings.Builder

	b.WriteString("| state | event | next state | actions | source |\n| --- | --- | --- | --- | --- |\n")

	for _, row := range m.rows {
		names := make([]string, len(row.Do))
		for i, action := range row.Do {
			names[i] = action.String()
		}

		do := strings.Join(names, ", ")
		if row.Why != "" {
			do = "nothing: " + row.Why
		}

		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.From, row.Event, row.To, do, row.Source)
	}

	return b.String()
}
