package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
)

// within says to a process that it is where Apart has put it.
const within = "DIALTONE_TEST_APART"

// Apart has the tests of this process run in a network namespace of their own (network_namespaces(7)), where the lab's addresses are
// free whatever runs beside them: it starts the process again there, and ends with it. Without the privilege to make a namespace it
// returns, and Alone has the tests of several processes wait for each other. It is the first thing that a TestMain does.
func Apart() {
	if os.Getenv(within) != "" {
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "the loopback interface of the tests' own network: %v\n%s", err, out)
			os.Exit(1)
		}

		return
	}

	runtime.LockOSThread() // the process ends with this thread (prctl(2), PR_SET_PDEATHSIG)
	defer runtime.UnlockOSThread()

	again := exec.Command(os.Args[0], os.Args[1:]...)
	again.Env = append(os.Environ(), within+"=yes")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)

	if err := again.Start(); errors.Is(err, fs.ErrPermission) {
		signal.Stop(signals)
		return
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "a network of the tests' own:", err)
		os.Exit(1)
	}

	go func() {
		for s := range signals {
			_ = again.Process.Signal(s)
		}
	}()

	_ = again.Wait() // what it has to say, it has said
	os.Exit(max(again.ProcessState.ExitCode(), -again.ProcessState.ExitCode()))
}

// Alone waits until no other test process has a network on the lab's addresses here, and has the others wait until the file is
// closed. Addresses are a namespace's, and so is the lock: it is on the namespace itself.
func Alone(t testing.TB) *os.File {
	t.Helper()

	namespace, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}

	if err := syscall.Flock(int(namespace.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}

	return namespace
}
