package scenario

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
)

// The ladder of the call has only its own charging: the answer to the charge of bob's message may fall within it.
func TestTheCallHasItsOwnCharging(t *testing.T) {
	step := func(label, call, session string) ladder.Step {
		return ladder.Step{Label: label, CallID: call, Session: session}
	}
	s := &Scenario{call: "call", charging: "scscf;2"}

	_, call := s.spans([]ladder.Step{
		step("MESSAGE", "message", ""), step("CCR-I", "", "scscf;1"), step("CCR-T", "", "scscf;1"),
		step("INVITE", "call", ""), step("CCR-I", "", "scscf;2"), step("CCA-T", "", "scscf;1"), step("CCA-I", "", "scscf;2"),
		step("LIR", "", "icscf;9"), step("BYE", "call", ""), step("CCR-T", "", "scscf;2"), step("CCA-T", "", "scscf;2"),
		step("UAR", "", "icscf;10"),
	})

	labels := []string{}
	for _, s := range call {
		labels = append(labels, s.Label)
	}

	if got := strings.Join(labels, " "); got != "INVITE CCR-I CCA-I LIR BYE CCR-T CCA-T" {
		t.Errorf("the ladder has %s", got)
	}
}
