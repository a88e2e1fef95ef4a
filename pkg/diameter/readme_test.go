package diameter

import (
	"os"
	"strings"
	"testing"
)

// TestReadmePrintsTheMachines: README.md prints the machines as they run.
func TestReadmePrintsTheMachines(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}

	for name, table := range map[string]string{"peer": peerMachine.String(), "watchdog": watchdogMachine.String()} {
		if !strings.Contains(string(text), table) {
			t.Errorf("README.md does not have the %s's table as it is:\n%s", name, table)
		}
	}
}
