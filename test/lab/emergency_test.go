package lab

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// The page of emergency calls names no command that there is not, and what it shows to try comes out as it says: with its normal
// registration a handset gets 380, with an emergency registration and without any it reaches the lab's centre, and bob is told of it.
func TestEmergencyPage(t *testing.T) {
	defer network.Alone(t).Close()

	commands(t, guide(t, "emergency.md"), 5)
	links(t, guide(t, "emergency.md"))

	try := part(t, "emergency.md", "Try it")

	for _, set := range regexp.MustCompile("DIALTONE_\\w+=[^\\s`]+").FindAllString(try, -1) {
		name, value, _ := strings.Cut(set, "=")
		t.Setenv(name, value)
	}

	command, said := follow(t, t.TempDir())
	text := said.await(t, "The core stays up", "\n  logs ")
	contains(t, text, "Alice calls 112", "she is told to call otherwise: 380 ")

	var steps []string
	for _, line := range regexp.MustCompile(`(?m)^    (bin/(?:hss|ue) .*)$`).FindAllStringSubmatch(try, -1) {
		steps = append(steps, line[1])
	}

	wanted := []struct {
		says  []string
		fails bool
	}{
		{says: []string{"tel:+15550003"}},
		{says: []string{"registered as ", "ue: 380 Alternative Service", "call again with --emergency"}, fails: true},
		{says: []string{"for emergency calls registered as ", "answered"}},
		{says: []string{"not registered, and known by urn:gsma:imei:35000000-000001-0", "answered"}},
	}
	if len(steps) != len(wanted) {
		t.Fatalf("the page has the steps %q", steps)
	}

	for i, want := range wanted {
		if strings.Contains(steps[i], " call ") {
			steps[i] += " --talk 100ms"
		}

		step := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(steps[i], "bin/", binaries+"/", 1))

		out, err := step.CombinedOutput()
		if (err != nil) != want.fails {
			t.Errorf("%s: %v\n%s", steps[i], err, out)
		}

		contains(t, string(out), want.says...)
	}

	said.await(t,
		"answers an emergency call (sos) from <sip:+15550003@", "answers an emergency call (sos.police) from nobody who is known",
		": Emergency call (sos.police) at ", "handset urn:gsma:imei:35000000-000001-0")

	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}

	text = said.await(t)

	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}

	gone(t)
}

// What the page of handsets shows for outages: the functions run without the lab, each in a shell with what the lab sets, with the
// lab's subscribers, and 112 is answered by the lab's centre, even if all but the P-CSCF have ended.
func TestFunctionsWithoutTheLab(t *testing.T) {
	defer network.Alone(t).Close()

	folder := t.TempDir()

	first, out := labIn(t, filepath.Join(folder, "var"), "--once", "--plmn", "999-70")
	if err := first.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	shell, after, found := strings.Cut(part(t, "handset.md", "6. Outages"), "    eval ")
	lines := regexp.MustCompile(`(?m)^    (bin/\w+.*?)(?: {2,}#.*)?$`).FindAllStringSubmatch(after, -1)

	if !found || len(lines) != 6 {
		t.Fatalf("the page shows %q after\n%s", lines, shell)
	}

	// An address for handsets is none that every machine has.
	set, _, _ := strings.Cut(after, "     #")
	set = "eval " + strings.Replace(set, " --gm 10.4.128.21", "", 1)

	running := map[string]*exec.Cmd{}

	for _, line := range lines {
		command := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(set+"\nexec "+line[1], "bin/", binaries+"/"))
		command.Dir = folder
		command.Env = append(os.Environ(), "DIALTONE_PCSCF_EMERGENCY_UNREGISTERED=true")
		start(t, command)

		name, _, _ := strings.Cut(strings.TrimPrefix(line[1], "bin/"), " ")
		running[name] = command

		if line[1] == "bin/pcscf" {
			eventually(t, "the P-CSCF", func() bool { return ready("127.0.0.10") && ready("127.0.0.11") && ready("127.0.0.12") })
		}
	}

	call := func(arguments ...string) string {
		all := append([]string{"call", "112", "--talk", "100ms"}, arguments...)

		out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "ue"), all...).CombinedOutput()
		if err != nil {
			return err.Error() + "\n" + string(out)
		}

		return string(out)
	}

	alice := []string{
		"--domain", "ims.mnc070.mcc999.3gppnetwork.org", "--imsi", "999700000000001",
		"--k", "465b5ce8b199b49faa5f0a2ee238a6bc", "--opc", "cd63cb71954a9f4e48a5994e37a02baf",
	}

	eventually(t, "alice's emergency call", func() bool { return strings.Contains(call(alice...), "\nanswered\n") })

	for _, name := range []string{"icscf", "scscf", "ocs", "hss"} {
		if err := running[name].Process.Kill(); err != nil {
			t.Error(err)
		}
	}

	if said := call("--unregistered", "--domain", "ims.mnc070.mcc999.3gppnetwork.org"); !strings.Contains(said, "\nanswered\n") {
		t.Errorf("with a dead core: %s", said)
	}
}

// ready reports whether a function says that it is ready.
func ready(address string) bool {
	response, err := http.Get("http://" + address + ":9090/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close()

	return response.StatusCode == http.StatusOK
}
