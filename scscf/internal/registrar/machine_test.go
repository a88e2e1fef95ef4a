package registrar

import (
	"strings"
	"testing"
)

func TestEveryEventHasAVerdictInEveryPhase(t *testing.T) {
	var events []Event
	for e := range eventNames {
		events = append(events, Event(e))
	}

	if gaps := Machine.Gaps([]Phase{NotRegistered, AuthPending, RegisteredPhase, Reauthenticating}, events); gaps != nil {
		t.Errorf("no verdict for:\n%s", strings.Join(gaps, "\n"))
	}
}

func TestFailedReauthenticationLeavesTheRegistration(t *testing.T) {
	for _, event := range []Event{ResponseWrong, ResponseEmpty, AwaitAuthExpired} {
		if row, _ := Machine.Step(Reauthenticating, event); row.To != RegisteredPhase {
			t.Errorf("%s leads to %s", event, row.To)
		}
	}
}
