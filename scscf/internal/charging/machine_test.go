package charging

import (
	"slices"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
)

// TestNothingFindsASessionWithoutRow: every state has a row for every signal possible in it: those from outside in all of them, every
// outcome of a request where one is in flight, the timers where they are set.
func TestNothingFindsASessionWithoutRow(t *testing.T) {
	outside := []Signal{ServiceAnswered, ServiceTerminated, ReauthRequested, AbortRequested, Resumed}
	outcomes := []Signal{Granted, NoUnits, NotApplicable, ServiceNotApplicable, AnswerFailed, UnansweredContinue, Unanswered, Undelivered}
	ended := []Signal{ReportTaken, ReportUnanswered, ReportLapsed}

	for state, can := range map[State][]Signal{
		Idle:          slices.Concat(outside, []Signal{ServiceRequested}),
		PendingI:      outcomes, // nobody outside knows the session yet
		Open:          slices.Concat(outside, []Signal{Restarted, QuotaElapsed, FinalQuotaElapsed}),
		PendingU:      slices.Concat(outside, outcomes, []Signal{Restarted, SessionUnknown}),
		ClosingU:      slices.Concat(outside, ended, []Signal{Restarted}),
		Exhausted:     slices.Concat(outside, []Signal{Restarted}),
		Unreported:    slices.Concat(outside, []Signal{Restarted}),
		Uncharged:     slices.Concat(outside, []Signal{Restarted, ResumeElapsed}),
		Unopened:      slices.Concat(outside, []Signal{Restarted, ResumeElapsed}),
		Reopening:     slices.Concat(outside, outcomes, []Signal{Restarted}),
		ClosingI:      slices.Concat(outside, ended, []Signal{Restarted}),
		Waived:        slices.Concat(outside, []Signal{Restarted}),
		WaivedService: slices.Concat(outside, []Signal{Restarted}),
		PendingO:      slices.Concat(outside, ended, []Signal{Restarted}),
		PendingT:      slices.Concat(outside, ended, []Signal{Restarted}),
		OwedU:         slices.Concat(outside, []Signal{Restarted, RepeatElapsed}),
		OwedT:         slices.Concat(outside, []Signal{Restarted, RepeatElapsed}),
	} {
		if gaps := transcript.Gaps(Machine, []State{state}, can); len(gaps) > 0 {
			t.Errorf("no row: %v", gaps)
		}
	}

	for state, can := range map[State][]Signal{
		Idle:     {DebitRequested, ReserveRequested},
		PendingE: append(slices.Clone(outcomes), Restarted),
		PendingI: append(slices.Clone(outcomes), Restarted),
		Debited:  {Delivered, NotDelivered, Restarted},
		Held:     {Delivered, NotDelivered, Restarted},
		HeldFree: {Delivered, NotDelivered, Restarted},
		PendingR: append(slices.Clone(ended), Restarted),
		PendingT: append(slices.Clone(ended), Restarted),
		Buffered: {RepeatElapsed, Restarted, Resumed},
		PendingB: append(slices.Clone(ended), Restarted),
	} {
		if gaps := transcript.Gaps(EventMachine, []State{state}, can); len(gaps) > 0 {
			t.Errorf("an event has no row: %v", gaps)
		}
	}
}

// TestOneRequestAtATime: one request is in flight at a time: a row sends one only in a state without one, or on the outcome of the one
// before; and it leads to a state that waits for its outcome.
func TestOneRequestAtATime(t *testing.T) {
	for _, machine := range []*fsm.Machine[State, Signal, Action]{Machine, EventMachine} {
		waits := func(state State) bool {
			return slices.ContainsFunc(machine.Rows(), func(r fsm.Row[State, Signal, Action]) bool {
				return r.From == state && answersRequest(r.Event)
			})
		}

		for _, r := range machine.Rows() {
			sends := slices.ContainsFunc(r.Do, func(a Action) bool {
				return slices.Contains([]Action{SendInitial, SendReport, SendLastReport, SendDebit, SendReserve, SendOwed}, a)
			})
			stays := waits(r.From) && !answersRequest(r.Event) && r.Event != Restarted

			if sends && stays || waits(r.To) != (sends || stays) {
				t.Errorf("%s in state %s leads to %s with %v", r.Event, r.From, r.To, r.Do)
			}
		}
	}
}

func TestStatesAreKeptByName(t *testing.T) {
	for _, r := range Machine.Rows() {
		var back State

		text, _ := r.From.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != r.From {
			t.Errorf("%s: %v %v", text, back, err)
		}
	}

	var s State
	if err := s.UnmarshalText([]byte("Elsewhere")); err == nil {
		t.Error("a state that there is not")
	}
}
