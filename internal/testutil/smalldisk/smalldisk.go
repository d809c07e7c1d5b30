//go:build linux || darwin

// Package smalldisk lets a test's disk be full.
package smalldisk

import (
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Alone runs the test in a process of its own, and reports whether this is that process; the caller returns
// where it is not. A limit is one of the whole process: what else is written there, such as the list of files
// that go test keeps, must not meet it.
func Alone(t *testing.T) bool {
	t.Helper()
	const variable = "SESAME_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	test := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	test.Env = append(os.Environ(), variable+"="+t.Name())
	out, err := test.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name()+" ")
	return false
}

// Limit lets writes of this process beyond that size of a file fail, as on a full disk, until the returned
// function is called. The test has its process to itself: see [Alone].
func Limit(t *testing.T, size uint64) (restore func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // an error is enough
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: old.Max}))
	return func() {
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old))
		signal.Reset(syscall.SIGXFSZ)
	}
}
