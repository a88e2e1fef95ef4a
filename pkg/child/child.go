// Package child makes processes end with the one that started them, however that ends, if the system can do that.
package child

import (
	"os/exec"
	"syscall"
)

// Bind makes the system send a command a signal when this process ends. It is called before the command is started.
func Bind(command *exec.Cmd, signal syscall.Signal) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}

	bind(command.SysProcAttr, signal)
}
