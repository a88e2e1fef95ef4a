package transcript

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

type word string

func (w word) String() string { return string(w) }

func door() *fsm.Machine[word, word, word] {
	return fsm.New(
		fsm.On[word, word, word]("§1", "closed", "push", "open", "creak"),
		fsm.On[word, word, word]("§2", "open", "pull", "closed", "creak", "bang"),
		fsm.Ignore[word, word, word]("open", "push", "it is open"),
		fsm.Ignore[word, word, word]("closed", "pull", "it is closed"),
	)
}

// program does and reports the actions.
func program(machine *fsm.Machine[word, word, word], walk func(func(*Command) string)) {
	run := machine.Start("closed")

	walk(func(c *Command) string {
		did := []string{}

		if c.Cmd != "situation" {
			actions, _ := run.Step(word(c.Cmd))
			for _, action := range actions {
				did = append(did, action.String())
			}
		}

		return fmt.Sprintf("%s\n%s", strings.Join(did, ", "), run.State())
	})
}

func TestDoor(t *testing.T) { Test(t, "testdata/door.txt", door(), program) }

// A program that does not follow its table is detected: for each such program, the changes that its transcripts do not show.
func TestMutantsThatNobodyNotices(t *testing.T) {
	for name, idle := range map[string]struct {
		program Play[word, word, word]
		unseen  []string
	}{
		"it does what the table says": {program: program},
		"it never reads the next state": {
			program: func(machine *fsm.Machine[word, word, word], walk func(func(*Command) string)) {
				state := word("closed")

				walk(func(c *Command) string {
					if c.Cmd == "situation" {
						return "closed"
					}

					run := machine.Start(state)
					actions, ok := run.Step(word(c.Cmd))
					state = map[word]word{"push": "open", "pull": "closed"}[word(c.Cmd)]

					return fmt.Sprint(actions, ok, state)
				})
			},
			unseen: []string{
				"push in state closed: next state closed in place of open",
				"pull in state open: next state open in place of closed",
				"push in state open: next state closed in place of open",
				"pull in state closed: next state open in place of closed",
			},
		},
		"it does nothing for an action": {
			program: func(machine *fsm.Machine[word, word, word], walk func(func(*Command) string)) {
				program(machine, func(do func(*Command) string) {
					walk(func(c *Command) string { return strings.ReplaceAll(strings.TrimSuffix(do(c), ", bang"), ", bang", "") })
				})
			},
			unseen: []string{"pull in state open: without bang"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := player[word, word, word]{play: idle.program, walked: map[row[word, word]]bool{}}
			all := read(t, "testdata/door.txt")

			for i := range all {
				all[i].came = p.run(door(), &all[i], nil)
				all[i].walked = map[int]bool{0: true, 1: true, 2: true, 3: true}
			}

			var unseen []string

			for _, m := range mutants(door()) {
				if !p.notices(m, all) {
					unseen = append(unseen, m.what)
				}
			}

			if !slices.Equal(unseen, idle.unseen) {
				t.Errorf("unseen:\n%s\nwant:\n%s", strings.Join(unseen, "\n"), strings.Join(idle.unseen, "\n"))
			}
		})
	}
}

func TestGapsNameEveryPairWithoutRow(t *testing.T) {
	gaps := Gaps(door(), []word{"closed", "open"}, []word{"push", "kick"})
	if !slices.Equal(gaps, []string{"kick in state closed", "kick in state open"}) {
		t.Errorf("gaps: %v", gaps)
	}
}
