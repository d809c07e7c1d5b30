package testutil_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The script that installs Debian packages says what it does, and never waits for a password.
func TestDebianPackages(t *testing.T) {
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		tools  map[string]string // what there is besides the usual, and what it does
		fails  bool
		says   []string
		called string
	}{
		"root": {
			tools:  map[string]string{"id": "echo 0", "apt-get": `echo "$@" >>"$CALLED"`},
			says:   []string{"postgres: there is none: installing Debian's package postgresql; to do without, stop this and set X\n"},
			called: "update\ninstall -y --no-install-recommends postgresql\n",
		},
		"root, and apt-get fails": {
			tools: map[string]string{"id": "echo 0", "apt-get": `echo "no space left"; exit 1`},
			fails: true,
			says:  []string{"no space left\n", "postgres: apt-get could not install postgresql\n", "postgres: to do without, set X\n"},
		},
		"sudo without a password": {
			tools: map[string]string{
				"id": "echo 1000", "apt-get": `echo "$@" >>"$CALLED"`,
				"sudo": `[ "$1" = -n ] || exit 9; shift; exec "$@"`,
			},
			says:   []string{"installing Debian's package postgresql"},
			called: "update\ninstall -y --no-install-recommends postgresql\n",
		},
		"sudo that would ask": {
			tools: map[string]string{
				"id": "echo 1000", "apt-get": `echo "$@" >>"$CALLED"`, "sudo": `[ "$1" = -n ] && exit 1; sleep 60`,
			},
			fails: true,
			says:  []string{"needs a password; run: sudo apt-get install -y --no-install-recommends postgresql\n", "to do without, set X\n"},
		},
		"no sudo": {
			tools: map[string]string{"id": "echo 1000", "apt-get": `echo "$@" >>"$CALLED"`},
			fails: true,
			says:  []string{"run: sudo apt-get install -y --no-install-recommends postgresql\n"},
		},
		"no apt-get": {
			fails: true,
			says:  []string{"postgres: there is none, and no apt-get to install postgresql with\npostgres: to do without, set X\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bin, called := t.TempDir(), filepath.Join(t.TempDir(), "called")
			for _, usual := range []string{"sh", "env", "mktemp", "rm", "tail", "sleep", "true"} {
				path, err := exec.LookPath(usual)
				require.NoError(t, err)
				require.NoError(t, os.Symlink(path, filepath.Join(bin, usual)))
			}
			for tool, does := range test.tools {
				require.NoError(t, os.WriteFile(filepath.Join(bin, tool), []byte("#!"+sh+"\n"+does+"\n"), 0o755))
			}
			script := exec.CommandContext(t.Context(), sh, "debian.sh", "postgres", "postgresql", "set X")
			script.Env = []string{"PATH=" + bin, "CALLED=" + called}
			said, err := script.CombinedOutput()
			require.Equal(t, test.fails, err != nil, "%s", said)
			for _, says := range test.says {
				require.Contains(t, string(said), says)
			}
			calls, _ := os.ReadFile(called)
			require.Equal(t, test.called, string(calls))
		})
	}
}
