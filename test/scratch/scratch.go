// Package scratch has folders for the databases of tests. What is in them is lost when the machine is: a database that has each commit on
// a disk waits for the disk most of the time, and no test takes the power away.
package scratch

import (
	"os"
	"testing"
)

// memory is a file system of Linux that has no disk.
const memory = "/dev/shm"

// Dir is a folder of a test, in memory where there is such a file system, which the test's end removes.
func Dir(t testing.TB) string {
	t.Helper()

	folder, err := os.MkdirTemp(memory, "dialtone-test-")
	if err != nil {
		return t.TempDir()
	}

	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})

	return folder
}
