// Package transcript tests a program against its state machine. A file holds situations as text: the events, the program's
// actions, and the state after them. Test plays them with the program's own table, requires every row to be walked, and plays them
// again with every row changed: a change that no situation shows is a fault.
//
// A file has the format of github.com/cockroachdb/datadriven; go test -rewrite writes the results into it. The directive "situation" begins
// a situation and names it; those after it are the program's.
package transcript

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

// Play runs the program on a machine for one situation. It calls walk once, with a function that does one command and returns the program's
// actions and the state after them. A program with timers runs in a synctest bubble that play begins. A changed machine makes the program
// do wrong things: play reports them as text and does not fail the test for them.
type Play[S, E, A fsm.Named] func(machine *fsm.Machine[S, E, A], walk func(do func(*Command) string))

// Command is one directive of a file, with its arguments and its input.
type Command = datadriven.TestData

// Test plays the situations of a file.
func Test[S, E, A fsm.Named](t *testing.T, file string, machine *fsm.Machine[S, E, A], play Play[S, E, A]) {
	t.Helper()

	situations := read(t, file)
	p := player[S, E, A]{play: play, walked: map[row[S, E]]bool{}}

	var came []string

	for i := range situations {
		s := &situations[i]
		s.walked = map[int]bool{}

		p.walked = map[row[S, E]]bool{}
		s.came = p.run(machine, s, nil)
		came = append(came, s.came...)

		for at, r := range machine.Rows() {
			s.walked[at] = p.walked[row[S, E]{r.From, r.Event}]
		}
	}

	next := 0

	datadriven.RunTest(t, file, func(*testing.T, *datadriven.TestData) string {
		next++
		return came[next-1]
	})

	for at, r := range machine.Rows() {
		if r.Source == "" && r.Why == "" {
			t.Errorf("%s in state %s: the row names neither a clause nor a reason", r.Event, r.From)
		}

		if !walked(situations, at) {
			t.Errorf("%s in state %s: no situation of %s walks this row", r.Event, r.From, file)
		}
	}

	if t.Failed() {
		return
	}

	for _, m := range mutants(machine) {
		if !p.notices(m, situations) {
			t.Errorf("%s: no situation of %s shows it", m.what, file)
		}
	}
}

type row[S, E comparable] struct {
	from  S
	event E
}

// situation is a part of a file: its commands, their results, and the rows walked.
type situation struct {
	commands []*Command
	came     []string
	walked   map[int]bool
}

func walked(situations []situation, at int) bool {
	for _, s := range situations {
		if s.walked[at] {
			return true
		}
	}

	return false
}

func read(t *testing.T, file string) []situation {
	t.Helper()

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	var all []situation

	datadriven.RunTestFromString(t, string(text), func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "situation" {
			all = append(all, situation{})
		}

		if len(all) == 0 {
			t.Fatalf("%s: %s comes before the first situation", file, d.Cmd)
		}

		command := *d
		last := &all[len(all)-1]
		last.commands = append(last.commands, &command)

		return d.Expected
	})

	return all
}

type player[S, E, A fsm.Named] struct {
	play Play[S, E, A]

	mu     sync.Mutex
	walked map[row[S, E]]bool
	gaps   []string
}

// run plays a situation and returns the result of each command. With want it stops at the first that differs.
func (p *player[S, E, A]) run(machine *fsm.Machine[S, E, A], s *situation, want []string) (came []string) {
	observed := machine.Observed(func(r fsm.Row[S, E, A], found bool) {
		p.mu.Lock()
		defer p.mu.Unlock()

		if found {
			p.walked[row[S, E]{r.From, r.Event}] = true
		} else {
			p.gaps = append(p.gaps, fmt.Sprintf("no row: %s in state %s", r.Event, r.From))
		}
	})

	p.play(observed, func(do func(*Command) string) {
		for i, command := range s.commands {
			text, stop := p.do(do, command)
			came = append(came, text)

			if stop || want != nil && text != want[i] {
				return
			}
		}
	})

	for len(came) < len(s.commands) {
		came = append(came, "not reached\n")
	}

	return came
}

func (p *player[S, E, A]) do(do func(*Command) string, command *Command) (text string, stop bool) {
	defer func() {
		if fault := recover(); fault != nil {
			text, stop = fmt.Sprintf("panic: %v\n", fault), true
		}
	}()

	lines := []string{}
	if said := strings.Trim(do(command), "\n"); said != "" {
		lines = append(lines, said)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	lines = append(lines, p.gaps...)
	p.gaps = nil

	if len(lines) == 0 {
		return "", false
	}

	return strings.Join(lines, "\n") + "\n", false
}

// Gaps returns the pairs of these states and events without a row. A test expects none.
func Gaps[S, E, A fsm.Named](machine *fsm.Machine[S, E, A], states []S, events []E) (gaps []string) {
	for _, state := range states {
		for _, event := range events {
			if _, found := machine.Step(state, event); !found {
				gaps = append(gaps, fmt.Sprintf("%s in state %s", event, state))
			}
		}
	}

	return gaps
}
