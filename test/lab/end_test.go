package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/test/network"
)

const answered = "answered; alice and bob talk until the quota has been renewed"

// Whoever ends the lab in its own call ends the call: the next lab does not find it, and alice does not pay for it.
func TestEndInTheCall(t *testing.T) {
	defer network.Alone(t).Close()

	data := t.TempDir()

	for _, end := range []struct {
		signal syscall.Signal
		at     string
	}{{syscall.SIGINT, answered}, {syscall.SIGTERM, "Alice calls bob"}, {syscall.SIGHUP, answered}} {
		command, said := follow(t, data)
		said.await(t, end.at)

		if err := command.Process.Signal(end.signal); err != nil {
			t.Fatal(err)
		}

		text := said.await(t)
		if err := command.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", end.signal, err, text)
		}

		contains(t, text, end.at, "Ending\n")

		if strings.Contains(text, "lab: ") || strings.Contains(text, "says:") {
			t.Errorf("%v: it reads like a failure\n%s", end.signal, text)
		}

		gone(t)
		noCall(t, data)
	}
}

// noCall starts the functions again on this data and wants no call in them, and no money reserved.
func noCall(t *testing.T, data string) {
	t.Helper()

	command, said := follow(t, data)
	text := said.await(t, "Switching two handsets on") // all are ready, and no call of this lab has begun

	var sessions []struct {
		Account string `json:"account"`
	}
	if err := httpapi.Local("http://127.0.0.14:9090").Do(t.Context(), "GET", "/sessions", nil, &sessions); err != nil || len(sessions) > 0 {
		t.Errorf("%v: charging goes on: %v\n%s", err, sessions, text)
	}

	var account struct {
		Reserved int64 `json:"reserved"`
	}
	if err := httpapi.Local("http://127.0.0.14:9090").Do(t.Context(), "GET", "/accounts/alice", nil, &account); err != nil ||
		account.Reserved != 0 {
		t.Errorf("%v: reserved for alice: %d", err, account.Reserved)
	}

	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}

	text = said.await(t)
	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// Ctrl-C while the core starts is no failure of the function that it meets; what was to be shown was not, which --once tells.
func TestEndDuringTheStart(t *testing.T) {
	defer network.Alone(t).Close()

	for _, arguments := range [][]string{nil, {"--once"}} {
		for _, at := range []string{"Starting the core", "hss    ready", "scscf  ready"} {
			command, said := follow(t, t.TempDir(), arguments...)
			said.await(t, at)

			if err := command.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}

			text := said.await(t)

			if err := command.Wait(); (err != nil) != (arguments != nil) {
				t.Errorf("%v after %s: it ends with %v", arguments, at, err)
			}

			contains(t, text, "\nEnding\n")

			if strings.Contains(text, "says:") || strings.Contains(text, "context canceled") || strings.Contains(text, "not ready") {
				t.Errorf("%v after %s: it reads like a failure\n%s", arguments, at, text)
			}

			gone(t)
		}
	}
}

// A function that does not start is told of once, with its log.
func TestFunctionDoesNotStart(t *testing.T) {
	defer network.Alone(t).Close()

	taken, err := net.Listen("tcp", "127.0.0.14:3868")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	data := t.TempDir()

	command, out := labIn(t, data)
	if err := command.Run(); err == nil {
		t.Errorf("it has started\n%s", out)
	}

	log := filepath.Join(data, "log", "ocs.log")
	contains(t, out.String(), "lab: ocs has ended (exit status 1); "+log+" says:\n", "address already in use")

	if told := strings.Count(out.String(), "says:"); told != 1 {
		t.Errorf("the log is told %d times\n%s", told, out)
	}

	gone(t)
}

// A function that ends takes the lab along, which says how it has ended and what its log says: while the lab stays, and in its call.
func TestFunctionEnds(t *testing.T) {
	defer network.Alone(t).Close()

	data := t.TempDir()

	for _, end := range []struct {
		at, status string
		signal     syscall.Signal
	}{{"\n  logs ", "exit status 0", syscall.SIGTERM}, {answered, "signal: killed", syscall.SIGKILL}} {
		command, said := follow(t, data)
		said.await(t, end.at)

		if err := syscall.Kill(childOf(t, command, "ocs"), end.signal); err != nil {
			t.Fatal(err)
		}

		text := said.await(t)

		if status := new(exec.ExitError); !errors.As(command.Wait(), &status) || status.ExitCode() != 1 {
			t.Errorf("it ends with %v", status)
		}

		contains(t, text, fmt.Sprintf("\nlab: ocs has ended (%s); %s says:\n", end.status, filepath.Join(data, "log", "ocs.log")), "starting")
		gone(t)
	}
}

// childOf is the process of this name that a command has started.
func childOf(t *testing.T, parent *exec.Cmd, name string) int {
	t.Helper()

	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}

	for _, folder := range folders {
		stat, err := os.ReadFile(filepath.Join(folder, "stat"))
		if err != nil {
			continue // it has ended
		}

		pid, rest, _ := strings.Cut(string(stat), " ("+name+") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent.Process.Pid) {
			number, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}

			return number
		}
	}

	t.Fatalf("the lab has no %s", name)

	return 0
}
