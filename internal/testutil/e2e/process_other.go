//go:build !unix

package e2e

import "os/exec"

// ownGroup does nothing: services are started by a shell, which is there on unix only.
func ownGroup(*exec.Cmd) {}
