package child_test

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
)

// The parent is this test, run again: it starts a child that never ends by itself, and is killed.
func TestBind(t *testing.T) {
	if os.Getenv("CHILD_OF_TEST") != "" {
		c := exec.Command("sleep", "60")
		c.Stdout = os.Stdout // held open for as long as it lives
		child.Bind(c, syscall.SIGKILL)

		if err := c.Start(); err != nil {
			t.Fatal(err)
		}

		os.Stdout.WriteString("started\n")
		select {}
	}

	parent := exec.Command(os.Args[0], "-test.run=TestBind")
	parent.Env = append(os.Environ(), "CHILD_OF_TEST=yes")

	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}

	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}

	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = lines.ReadString('\n') }()

	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the child lives on")
	}

	_ = parent.Wait()
}
