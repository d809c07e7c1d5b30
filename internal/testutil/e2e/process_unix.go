//go:build unix

package e2e

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps what interrupts the tests from the service: its keeper ends it, after them.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
