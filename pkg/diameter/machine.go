package diameter

import "fmt"

// transition is one row of a state machine: what is done, and which state follows, when an event comes in a state.
type transition[State, Event, Action comparable] struct {
	from State
	on   Event
	to   State
	do   []Action
}

type situation[State, Event comparable] struct {
	state State
	event Event
}

// machine is a table of transitions. A situation without a row changes nothing.
type machine[State, Event, Action comparable] map[situation[State, Event]]transition[State, Event, Action]

// newMachine panics when two rows speak of the same situation: that is a mistake in the program.
func newMachine[State, Event, Action comparable](rows ...transition[State, Event, Action]) machine[State, Event, Action] {
	m := machine[State, Event, Action]{}

	for _, row := range rows {
		at := situation[State, Event]{row.from, row.on}
		if _, twice := m[at]; twice {
			panic(fmt.Sprintf("diameter: two rows for %v in %v", row.on, row.from))
		}

		m[at] = row
	}

	return m
}

func (m machine[State, Event, Action]) step(state State, event Event) (transition[State, Event, Action], bool) {
	row, found := m[situation[State, Event]{state, event}]
	return row, found
}
