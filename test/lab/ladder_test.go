package lab

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// All at once: one run without an EPC shows the registration, the call with its bearers, found by name, and an emergency call, each
// message once, in ladders without anything that comes and goes.
func TestAllInOneLadder(t *testing.T) {
	defer network.Alone(t).Close()

	data := t.TempDir()

	var first []string

	for run := range 2 {
		command, out := labIn(t, data, "--once", "--bearers", "--dns", nameserver)
		if err := command.Run(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}

		text := out.String()
		contains(t, text,
			"The name server at "+nameserver+" answers for ", "pcscf  ready", "\nProvisioning two subscribers\n  alice ", "\n  bob ",
			"names: 2 numbers, serial ", "\nSwitching two handsets on\n", "the PCRF grants alice ", "the PCRF grants bob ",
			"The registration of alice", "REGISTER", "200", "The call of alice to bob",
			"sip:+15550002@", // found by ENUM
			"AAR", "AAA", "ACK", "STR", "STA", "Alice calls 112", "The emergency call of alice", "AAR", "AAA", "BYE", "STR", "STA",
			"What was looked up, and found", "NAPTR  2.0.0.0.5.5.5.1.e164.arpa ", " sip:+15550002@", "Every step happened.")

		registration := steps(t, text, "The registration of alice")
		if run == 0 {
			first = registration
		}

		for _, other := range []string{"SUBSCRIBE", "NOTIFY", "LIR", "AAR"} {
			if slices.Contains(registration, other) {
				t.Errorf("the registration has %s:\n%s", other, text)
			}
		}

		if !slices.Equal(registration, first) {
			t.Errorf("registrations differ:\n%q\n%q", first, registration)
		}

		if call := steps(t, text, "The call of alice to bob"); slices.Contains(call, "NOTIFY") || slices.Contains(call, "MESSAGE") {
			t.Errorf("the call has what is not its own:\n%s", text)
		}
	}

	gone(t)
}

// steps are the labels of a ladder, in order.
func steps(t *testing.T, text, title string) (labels []string) {
	t.Helper()

	_, ladder, found := strings.Cut(text, "\n"+title)
	if !found {
		t.Fatalf("no %s in\n%s", title, text)
	}

	_, ladder, _ = strings.Cut(ladder, "\n\n")
	ladder, _, _ = strings.Cut(ladder, "\n\n")

	for _, match := range regexp.MustCompile(`─ ([A-Z0-9-]+) ─|─ ([A-Z0-9-]+) [─▶]`).FindAllStringSubmatch(ladder, -1) {
		labels = append(labels, match[1]+match[2])
	}

	if len(labels) < 8 {
		t.Fatalf("the ladder has %q:\n%s", labels, ladder)
	}

	return labels
}
