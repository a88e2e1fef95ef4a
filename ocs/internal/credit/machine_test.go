package credit

import "testing"

func TestMachineHasNoGaps(t *testing.T) {
	if gaps := Machine.Gaps([]State{Idle, Open, Ended}, []Event{Initial, Update, Terminate, OneTime, Silence}); len(gaps) > 0 {
		t.Errorf("no verdict for %v", gaps)
	}
}
