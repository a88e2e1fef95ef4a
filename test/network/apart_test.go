package network_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

func TestMain(m *testing.M) {
	network.Apart()
	os.Exit(m.Run())
}

// The addresses of the lab are this process's own, or its namespace is the parent's, where the lock holds.
func TestApart(t *testing.T) {
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}

	parents, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", os.Getppid()))
	if err != nil {
		t.Fatal(err)
	}

	if again := os.Getenv("DIALTONE_TEST_APART") != ""; again != (here != parents) {
		t.Errorf("in %s, the parent in %s, and started again: %v", here, parents, again)
	}

	first := network.Alone(t)

	second, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()

	if err := syscall.Flock(int(second.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EWOULDBLOCK {
		t.Errorf("a second lock: %v", err)
	}

	if err := first.Close(); err != nil {
		t.Error(err)
	}

	if err := syscall.Flock(int(second.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("when the first is given back: %v", err)
	}
}
