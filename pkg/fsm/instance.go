package fsm

// Instance is one run of a machine: it holds the state, and only its steps change it. Its owner guards it against concurrent use.
type Instance[S, E, A Named] struct {
	machine *Machine[S, E, A]
	state   S
}

// Start begins a run in a state: the first one of the machine, or one restored after a restart.
func (m *Machine[S, E, A]) Start(state S) Instance[S, E, A] {
	return Instance[S, E, A]{machine: m, state: state}
}

// State returns the state that the last step led to.
func (i *Instance[S, E, A]) State() S { return i.state }

// Step moves to the next state of the row for this event, and returns the actions in order. ok is false if there is no row: the state
// stays, and nothing may be done.
func (i *Instance[S, E, A]) Step(event E) (actions []A, ok bool) {
	row, ok := i.machine.Step(i.state, event)
	if i.machine.observe != nil {
		i.machine.observe(row, ok)
	}

	i.state = row.To

	return row.Do, ok
}
