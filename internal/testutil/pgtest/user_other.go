//go:build !unix

package pgtest

import (
	"fmt"
	"os/exec"
	"runtime"
)

// dropPrivileges refuses: a private server is for systems with sockets in directories.
func dropPrivileges(*exec.Cmd, string) error {
	return fmt.Errorf("%w (on %s none is started)", ErrNoServer, runtime.GOOS)
}
