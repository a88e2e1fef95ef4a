package transcript

import (
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

// mutant is a machine with one row changed, or several such machines of which one has to be noticed.
type mutant[S, E, A fsm.Named] struct {
	what     string // in words
	row      int
	machines []*fsm.Machine[S, E, A]
}

// mutants returns each row of a machine changed in every way that leaves a table: every other next state, an action left out, another
// action in its place (of all others one has to be noticed: two may be equivalent), another event.
func mutants[S, E, A fsm.Named](machine *fsm.Machine[S, E, A]) (all []mutant[S, E, A]) {
	rows := machine.Rows()
	states, events, actions := names(rows)

	for at, r := range rows {
		add := func(changed fsm.Row[S, E, A], format string, words ...any) {
			table := slices.Clone(rows)
			table[at] = changed
			all = append(all, mutant[S, E, A]{
				what:     fmt.Sprintf("%s in state %s: "+format, append([]any{r.Event, r.From}, words...)...),
				row:      at,
				machines: []*fsm.Machine[S, E, A]{fsm.New(table...)},
			})
		}

		for _, state := range states {
			if state != r.To {
				changed := r
				changed.To = state
				add(changed, "next state %s in place of %s", state, r.To)
			}
		}

		for i, action := range r.Do {
			changed := r
			changed.Do = slices.Delete(slices.Clone(r.Do), i, i+1)
			add(changed, "without %s", action)

			others := mutant[S, E, A]{what: fmt.Sprintf("%s in state %s: another action in place of %s", r.Event, r.From, action), row: at}

			for _, other := range after(actions, action) {
				table := slices.Clone(rows)
				table[at].Do = slices.Clone(r.Do)
				table[at].Do[i] = other
				others.machines = append(others.machines, fsm.New(table...))
			}

			if len(others.machines) > 0 {
				all = append(all, others)
			}
		}

		other, free := r.Event, false
		for _, event := range events {
			if !slices.ContainsFunc(rows, func(o fsm.Row[S, E, A]) bool { return o.From == r.From && o.Event == event }) {
				other, free = event, true
				break
			}
		}

		if free {
			changed := r
			changed.Event = other
			add(changed, "the row is for %s", other)
		} else {
			all = append(all, mutant[S, E, A]{
				what: fmt.Sprintf("%s in state %s: without the row", r.Event, r.From), row: at,
				machines: []*fsm.Machine[S, E, A]{fsm.New(slices.Delete(slices.Clone(rows), at, at+1)...)},
			})
		}
	}

	return all
}

// names returns the states, events and actions of a table, each once.
func names[S, E, A fsm.Named](rows []fsm.Row[S, E, A]) (states []S, events []E, actions []A) {
	for _, r := range rows {
		states = append(states, r.From, r.To)
		events = append(events, r.Event)
		actions = append(actions, r.Do...)
	}

	return once(states), once(events), once(actions)
}

func once[T comparable](list []T) (each []T) {
	for _, item := range list {
		if !slices.Contains(each, item) {
			each = append(each, item)
		}
	}

	return each
}

// after returns the other actions, starting with the next one in the list.
func after[A comparable](list []A, action A) []A {
	at := slices.Index(list, action)

	return slices.Concat(list[at+1:], list[:at])
}

// notices plays the situations that walk the changed row, and reports whether one has another outcome.
func (p *player[S, E, A]) notices(m mutant[S, E, A], situations []situation) bool {
	for _, machine := range m.machines {
		for i := range situations {
			s := &situations[i]
			if s.walked[m.row] && !slices.Equal(p.run(machine, s, s.came), s.came) {
				return true
			}
		}
	}

	return false
}
