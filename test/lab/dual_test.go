package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// A P-CSCF of both families is found by its name in both, and a handset of IPv6 writes to one of IPv4.
func TestDualStack(t *testing.T) {
	defer network.Alone(t).Close()

	for _, arguments := range []string{
		"link add dual0 type veth peer name dual1", "link set dual1 up", "link set dual0 up", "address add 192.0.2.5/24 dev dual0",
		"address add 2001:db8::5/64 dev dual0 nodad", "address add 2001:db8::6/64 dev dual0 nodad",
	} {
		if out, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", arguments, err, out)
		}
	}

	defer func() {
		if out, err := exec.Command("ip", "link", "delete", "dual0").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}()

	command, said := follow(t, t.TempDir(),
		"--gm", "192.0.2.5", "--gm", "2001:db8::5", "--dns", "192.0.2.5:5300", "--dns", "[2001:db8::5]:5300")
	text := said.await(t, "The core stays up", "\n  logs ", "\n  names   ")
	contains(t, text, "192.0.2.5:5060 and [2001:db8::5]:5060, UDP and TCP")

	for _, step := range []string{"a subscriber ", "its account "} {
		if out, err := shown(t, text, step, ""); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
	}

	_, sim, _ := strings.Cut(text, "--address 127.0.0.130:5060")
	sim, _, _ = strings.Cut(sim, "\n")

	for _, handset := range []struct{ address, dns, finds string }{
		{"[2001:db8::6]:5060", "[2001:db8::5]:5300", "P-CSCF UDP 2001:db8::5 port 5060"},
		{"192.0.2.5:5070", "192.0.2.5:5300", "P-CSCF UDP 192.0.2.5 port 5060"},
	} {
		arguments := append(strings.Fields(sim), "--address", handset.address, "--dns", handset.dns, "message", "tel:+15550001", "hello")

		out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "ue"), arguments...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), handset.finds) || !strings.Contains(string(out), "200 OK") {
			t.Errorf("from %s: %v\n%s", handset.address, err, out)
		}
	}

	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}

	if said.await(t); command.Wait() != nil {
		t.Error("it does not end in order")
	}

	gone(t)
}
