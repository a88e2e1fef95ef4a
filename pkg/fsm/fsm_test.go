package fsm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

type word string

func (w word) String() string { return string(w) }

func door() *Machine[word, word, word] {
	return New(
		On[word, word, word]("§1", "closed", "push", "open", "creak"),
		On[word, word, word]("§2", "open", "pull", "closed", "creak", "bang"),
		Ignore[word, word, word]("open", "push", "it is open"),
	)
}

func TestStep(t *testing.T) {
	m := door()

	if row, ok := m.Step("open", "pull"); !ok || row.To != "closed" || !slices.Equal(row.Do, []word{"creak", "bang"}) || row.Source != "§2" {
		t.Errorf("open, pull: %+v %v", row, ok)
	}
	if row, ok := m.Step("open", "push"); !ok || row.To != "open" || row.Do != nil {
		t.Errorf("open, push: %+v %v", row, ok)
	}
	if row, ok := m.Step("closed", "pull"); ok || row.To != "closed" {
		t.Errorf("a pair without a row: %+v %v", row, ok)
	}
}

func TestTwoRowsForOnePairPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New(On[word, word, word]("", "a", "b", "c"), On[word, word, word]("", "a", "b", "d"))
}

func TestTablePrintsItself(t *testing.T) {
	text := door().String()
	for _, line := range []string{"| closed | push | open | creak | §1 |", "| open | push | open | nothing: it is open |  |"} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
}

func TestInstanceHoldsTheStateThatTheTableSays(t *testing.T) {
	var seen []string

	run := door().Observed(func(row Row[word, word, word], found bool) {
		seen = append(seen, fmt.Sprintf("%s %s %t", row.From, row.Event, found))
	}).Start("closed")

	for _, step := range []struct {
		event, state word
		actions      []word
		ok           bool
	}{
		{event: "pull", state: "closed"},
		{event: "push", state: "open", actions: []word{"creak"}, ok: true},
		{event: "push", state: "open", ok: true},
		{event: "pull", state: "closed", actions: []word{"creak", "bang"}, ok: true},
	} {
		actions, ok := run.Step(step.event)
		if ok != step.ok || run.State() != step.state || !slices.Equal(actions, step.actions) {
			t.Errorf("%s: %v %v %s, want %+v", step.event, actions, ok, run.State(), step)
		}
	}

	want := []string{"closed pull false", "closed push true", "open push true", "open pull true"}
	if !slices.Equal(seen, want) {
		t.Errorf("observed %q, want %q", seen, want)
	}
}
