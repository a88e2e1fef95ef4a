package bearer

import (
	"slices"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
)

// Every state has a row for every possible event: anything from outside in all states, every outcome while a request is pending, the timer
// where it is set.
func TestNothingFindsASessionWithoutRow(t *testing.T) {
	outside := []Signal{NeedsCame, LegOver, Aborted, BearerLost}
	outcomes := []Signal{Agreed, RefusedBy, Unanswered, Undelivered}

	for state, can := range map[State][]Signal{
		Idle:        {NeedsCame}, // nobody else knows it yet
		Asked:       slices.Concat(outside, outcomes, []Signal{AgreedStale}),
		Granted:     outside,
		Updating:    slices.Concat(outside, outcomes, []Signal{AgreedStale, SessionUnknown}),
		ClosingNew:  slices.Concat(outside, outcomes),
		ClosingHeld: slices.Concat(outside, outcomes, []Signal{SessionUnknown}),
		Ending:      slices.Concat(outside, []Signal{EndTaken, EndUnanswered, EndLapsed}),
		Owed:        slices.Concat(outside, []Signal{RepeatElapsed}),
		Ended:       outside,
	} {
		if gaps := transcript.Gaps(Machine, []State{state}, can); len(gaps) > 0 {
			t.Errorf("no row: %v", gaps)
		}
	}
}

// A session that the authority may have is ended by a request before it is over, and nothing leads out of its end.
func TestEndIsSaidBeforeItIsOver(t *testing.T) {
	for _, r := range Machine.Rows() {
		granted := slices.Contains([]State{Granted, Ending, Owed}, r.From) ||
			r.From == Updating || r.From == ClosingHeld || r.Event == Agreed || r.Event == Unanswered
		if granted && r.To == Ended && !slices.Contains([]Signal{EndTaken, EndLapsed, SessionUnknown}, r.Event) {
			t.Errorf("%s in state %s ends the session without a word", r.Event, r.From)
		}

		if r.From == Ended && r.To != Ended {
			t.Errorf("%s revives a session", r.Event)
		}
	}

	sends := func(r fsm.Row[State, Signal, Action]) bool {
		return slices.Contains(r.Do, SendRequest) || slices.Contains(r.Do, SendEnd)
	}
	waits := []State{Asked, Updating, ClosingNew, ClosingHeld, Ending}

	for _, r := range Machine.Rows() { // one request at a time
		outcome := r.Event >= Agreed && r.Event <= Undelivered || r.Event >= EndTaken && r.Event <= EndLapsed
		if busy := slices.Contains(waits, r.From) && !outcome; sends(r) && busy || slices.Contains(waits, r.To) != (sends(r) || busy) {
			t.Errorf("%s in state %s leads to %s with %v", r.Event, r.From, r.To, r.Do)
		}
	}
}

func TestStatesAreKeptByName(t *testing.T) {
	for state := Idle; state <= Ended; state++ {
		var back State

		text, _ := state.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != state {
			t.Errorf("%s: %v %v", text, back, err)
		}
	}

	var s State
	if err := s.UnmarshalText([]byte("Elsewhere")); err == nil {
		t.Error("a state that there is not")
	}
}
