// Package lab tests the lab command as a new user meets it: built as `make lab` builds it, judged by what it prints and how it ends.
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/test/network"
)

var binaries string

func TestMain(m *testing.M) {
	network.Apart()

	if binaries = os.Getenv("DIALTONE_BINARIES"); binaries != "" {
		os.Exit(m.Run())
	}

	dir, err := os.MkdirTemp("", "dialtone-lab")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	binaries = dir
	os.Setenv(httpapi.TokenVariable, filepath.Join(dir, "admin.token"))

	build := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "./pcscf", "./icscf", "./scscf", "./hss", "./ocs", "./lab", "./ue")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")

	status := 1
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
	} else {
		status = m.Run()
	}

	os.RemoveAll(dir)
	os.Exit(status)
}

func lab(t *testing.T, arguments ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()

	return labIn(t, t.TempDir(), arguments...)
}

// labIn is the lab with its databases and logs in this folder.
func labIn(t *testing.T, data string, arguments ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()

	var out bytes.Buffer

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)

	command := exec.CommandContext(ctx, filepath.Join(binaries, "lab"), append([]string{"--data", data}, arguments...)...)
	command.Stdout, command.Stderr = &out, &out
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	child.Bind(command, syscall.SIGTERM)

	return command, &out
}

// contains wants these in this order, each after the one before.
func contains(t *testing.T, text string, wanted ...string) {
	t.Helper()

	rest := text
	for _, w := range wanted {
		_, after, found := strings.Cut(rest, w)
		if !found {
			t.Fatalf("no %q where it should be in\n%s", w, text)
		}

		rest = after
	}
}

// gone wants that nothing listens where the functions did.
func gone(t *testing.T) {
	t.Helper()

	for last := 10; last <= 14; last++ {
		if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.%d:9090", last), time.Second); err == nil {
			c.Close()
			t.Errorf("something is left at 127.0.0.%d", last)
		}
	}
}

func TestOnce(t *testing.T) {
	defer network.Alone(t).Close()

	command, out := lab(t, "--once")
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	contains(t, out.String(),
		"pcscf  ready", "in cents (", "debited           ", "\n  sum                              0\n",
		"The registration of alice", "REGISTER", "UAR", "MAR", "401", "REGISTER", "UAR", "SAR", "200",
		"The call of alice to bob", "INVITE", "CCR-I", "LIR", "CCR-U", "BYE", "CCR-T", "Alice calls 112",
		"answers an emergency call (sos) from <sip:+15550001@", "and no real one",
		"The emergency call of alice: past the rest of the core", "PSAP", "INVITE", "urn:service:sos", "200", "ACK", "BYE", "200",
		"Every step happened.")

	if strings.Contains(out.String(), "ESP") {
		t.Error("there is talk of ESP")
	}

	gone(t)
}

// With --bearers the call of each handset asks the PCRF and gives back what it had; what an earlier run has left changes nothing.
func TestBearers(t *testing.T) {
	defer network.Alone(t).Close()

	data := t.TempDir()

	for range 5 {
		command, out := labIn(t, data, "--once", "--bearers")
		if err := command.Run(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}

		contains(t, out.String(),
			"the PCRF grants alice  permit out 17 from 127.0.0.101 to 127.0.0.100 ",
			"the PCRF grants bob    permit out 17 from 127.0.0.100 to 127.0.0.101 ",
			"the PCRF reports that alice is on another access network: WLAN",
			"The call of alice to bob", "PCRF", "INVITE", "183", "AAR", "AAA", "2001", "PRACK", "UPDATE", "180", "ACK", "RAR", "RAA", "2001",
			"BYE", "STR", "STA", "2001", "Every step happened.")

		log, err := os.ReadFile(filepath.Join(data, "log", "pcscf.log"))
		if err != nil {
			t.Fatal(err)
		}

		if strings.Contains(string(log), "bearers are refused") || strings.Contains(string(log), "no answer to a request for bearers") {
			t.Errorf("the P-CSCF says\n%s", log)
		}
	}

	gone(t)
}

// With --bearers=n5 it is a PCF that is asked, and its HTTP is in the ladder.
func TestBearersOverN5(t *testing.T) {
	defer network.Alone(t).Close()

	command, out := lab(t, "--once", "--bearers=n5")
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	contains(t, out.String(),
		"the PCF grants alice  permit out 17 from 127.0.0.101 to 127.0.0.100 ",
		"the PCF grants bob    permit out 17 from 127.0.0.100 to 127.0.0.101 ",
		"the PCF reports that alice is on another access network: WLAN",
		"The call of alice to bob", "PCF", "INVITE", "183", "POST", "/npcf-policyauthorization/v1/app-sessions", "201", "(POST)", "PRACK",
		"UPDATE", "180", "ACK", "POST", "/notify", "204", "BYE", "POST", "/delete", "204", "(POST)", "Every step happened.")

	gone(t)
}

// Starting it again on the same databases is what everybody does: each run shows its own call, and the last one is charged as the first.
func TestAgain(t *testing.T) {
	defer network.Alone(t).Close()

	data := t.TempDir()
	balance := regexp.MustCompile(`(?m)^  alice +subscriber +(\S+)$`)
	left := map[string]bool{}

	for run := range 5 {
		command, out := labIn(t, data, "--once")
		if err := command.Run(); err != nil {
			t.Fatalf("run %d: %v\n%s", run+1, err, out)
		}

		contains(
			t,
			out.String(),
			"answered; alice and bob talk",
			"\nWhat the call cost alice",
			"CCR-I",
			"CCR-U",
			"BYE",
			"CCR-T",
			"CCA-T",
			"Every step happened.",
		)

		if strings.Contains(out.String(), "─ 480 ─") {
			t.Errorf("run %d calls handsets that are gone\n%s", run+1, out)
		}

		now := balance.FindStringSubmatch(out.String())
		if now == nil || left[now[1]] {
			t.Errorf("run %d: alice has %v, as after a run before\n%s", run+1, now, out)
		} else {
			left[now[1]] = true
		}
	}

	gone(t)
}

// The network is that of one's SIMs.
func TestNetwork(t *testing.T) {
	defer network.Alone(t).Close()

	command, out := lab(t, "--once", "--plmn", "310-260")
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	contains(
		t,
		out.String(),
		"IMSI 310260000000001",
		"IMSI 310260000000002",
		"sip:+15550001@ims.mnc260.mcc310.3gppnetwork.org",
		"Every step happened.",
	)

	if strings.Contains(out.String(), "mcc001") {
		t.Errorf("something is of another network:\n%s", out)
	}

	gone(t)
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		says      string
	}{
		{[]string{"--plmn", "1-1"}, "a PLMN is written as 001-01"},
		{[]string{"--plmn", "00101"}, "a PLMN is written as 001-01"},
		{[]string{"--plmn", "31x-260"}, "a PLMN is written as 001-01"},
		{[]string{"--gm", "here"}, `invalid argument "here"`},
		{[]string{"--gm", "0.0.0.0"}, "a handset has to reach it"},
		{[]string{"--gm", "127.0.0.10"}, "a handset has to reach it"},
		{[]string{"--gm", "192.0.2.1", "--ipsec"}, "[gm ipsec]"},
		{[]string{"--bearers=gx"}, "rx or n5"},
	} {
		command, out := lab(t, append(test.arguments, "--once")...)
		if err := command.Run(); err == nil || !strings.Contains(out.String(), test.says) || strings.Contains(out.String(), "ready") {
			t.Errorf("%v: %v, %s; want %s", test.arguments, err, out, test.says)
		}
	}
}

// Whoever asks for IPsec gets it, or is told why not.
func TestIPsec(t *testing.T) {
	command, out := lab(t, "--ipsec", "--once")
	err := command.Run()

	support := ipsec.Probe(ipsec.Options{Role: ipsec.PCSCF})
	if support.Missing == nil {
		if err != nil || !strings.Contains(out.String(), "Every step happened.") {
			t.Fatalf("%v\n%s", err, out)
		}

		return
	}

	if status := new(exec.ExitError); !errors.As(err, &status) || status.ExitCode() != 1 {
		t.Errorf("it ends with %v", err)
	}

	contains(t, out.String(), "--ipsec cannot be shown here: "+support.Missing.Error(), "test/kernel/run bin/lab")

	if strings.Contains(out.String(), "ready") {
		t.Errorf("it has started something:\n%s", out)
	}
}

// said is what the lab prints, as it comes.
type said struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed when there is more, and made anew
	end  bool
}

func (s *said) follow(r io.Reader) {
	for chunk, ended := make([]byte, 4096), false; !ended; {
		n, err := r.Read(chunk)
		ended = err != nil

		s.mu.Lock()
		s.text.Write(chunk[:n])
		s.end = ended
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
	}
}

// follow starts the lab with this data; what it says can be waited for.
func follow(t *testing.T, data string, arguments ...string) (*exec.Cmd, *said) {
	t.Helper()

	command, _ := labIn(t, data, arguments...)

	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}

	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}

	writer.Close()

	said := &said{more: make(chan struct{})}
	go said.follow(reader)

	return command, said
}

// await waits until it has said all of these, and returns everything; nothing wanted: until it ends.
func (s *said) await(t *testing.T, wanted ...string) string {
	t.Helper()

	deadline := time.After(time.Minute)

	for {
		s.mu.Lock()
		text, more, end := s.text.String(), s.more, s.end
		s.mu.Unlock()

		missing := slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return strings.Contains(text, w) })

		if end || len(wanted) > 0 && len(missing) == 0 {
			return text
		}

		select {
		case <-more:
		case <-deadline:
			t.Fatalf("it does not say %q\n%s", missing, text)
		}
	}
}

// shown runs the command that the lab shows behind a title.
func shown(t *testing.T, text, title, more string) (string, error) {
	t.Helper()

	_, rest, found := strings.Cut(text, "\n  "+title)
	line, _, ended := strings.Cut(rest, "\n")

	if !found || !ended {
		t.Fatalf("no %q in\n%s", title, text)
	}

	command := exec.CommandContext(t.Context(), "sh", "-c", line+more)
	out, err := command.CombinedOutput()

	return string(out), err
}

// Without --once it stays, until it is told to end; until then what it shows can be done, and its handsets answer.
func TestStays(t *testing.T) {
	defer network.Alone(t).Close()

	command, said := follow(t, t.TempDir())
	text := said.await(t, "The core stays up", "\n  logs ")

	for _, step := range []struct{ title, more, says string }{
		{"a subscriber ", "", "tel:+15550003"},
		{"its account ", "", "carol"},
		{"the new subscriber calls ", " --talk 100ms", "answered"},
		{"the new subscriber calls ", " --talk 100ms", "answered"}, // once is not enough
	} {
		if out, err := shown(t, text, step.title, step.more); err != nil || !strings.Contains(out, step.says) {
			t.Errorf("%s: %v\n%s", step.title, err, out)
		}
	}

	said.await(t, "bob    call from sip:+15550003@", "bob    the call from sip:+15550003@")

	_, arguments, _ := strings.Cut(text, "call tel:+15550002 ")
	arguments, _, _ = strings.Cut(arguments, "\n")
	write := func(to string) (string, error) {
		command := exec.CommandContext(
			t.Context(),
			filepath.Join(binaries, "ue"),
			append(strings.Fields(arguments), "message", to, "how are you?")...)
		out, err := command.CombinedOutput()

		return string(out), err
	}

	if out, err := write("+15550001"); err != nil || !strings.Contains(out, "200 OK") {
		t.Errorf("to alice: %v\n%s", err, out)
	}

	if out, err := write("tel:+15559999"); err == nil || !strings.Contains(out, "ue: 404 Not Found (") {
		t.Errorf("to nobody: %v\n%s", err, out)
	}

	if out, err := write("nobody"); err == nil || !strings.Contains(out, "ue: 404 Not Found (") {
		t.Errorf("to the name of no user: %v\n%s", err, out)
	}

	for _, local := range []string{"15550001", "5550001", "555 0001", "tel:+1 555 0001"} {
		if out, err := write(local); err != nil || !strings.Contains(out, "200 OK") {
			t.Errorf("to %s: %v\n%s", local, err, out)
		}
	}

	if out, err := write("+1555x001"); err == nil || !strings.Contains(out, "tel:+15550002") || strings.Contains(out, "registered") {
		t.Errorf("to no number: %v\n%s", err, out)
	}

	said.await(t, "alice  message from sip:+15550003@", ": how are you?\n")

	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}

	text = said.await(t)

	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}

	contains(t, text, "The core stays up. Ctrl-C ends it.", "127.0.0.10:5060, UDP and TCP", "subscriber add", "Ending")
	gone(t)
}
