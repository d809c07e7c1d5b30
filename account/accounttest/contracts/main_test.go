//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest/internal/artifacts"
)

// tools puts programs of the test's own in the place of node and npm, and gives it a cache directory. The
// scripts run in the directory that is worked in.
func tools(t *testing.T, npm, node string) (dir string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range map[string]string{"npm": npm, "node": node} {
		if script != "" {
			require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
		}
	}
	for _, name := range []string{"sh", "mkdir", "touch", "sleep", "env"} { // what the scripts use
		for _, system := range []string{"/bin", "/usr/bin"} {
			if _, err := os.Stat(filepath.Join(system, name)); err == nil {
				_ = os.Symlink(filepath.Join(system, name), filepath.Join(bin, name))
			}
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := artifacts.Dir()
	require.NoError(t, err)
	return dir
}

// compile is a node that makes every artifact.
const compile = `[ "$1" = build.mjs ] && [ -f build.mjs ] && [ -f .npmrc ] && [ -f src/DemoNFT.sol ] || exit 9
mkdir "$2"
for name in EntryPoint SmartAccount Proxy SmartAccountFactory EcdsaOwnershipRegistryModule MultichainECDSAValidator \
	SessionKeyManager BatchedSessionRouter ABISessionValidationModule ERC20SessionValidationModule \
	VerifyingSingletonPaymaster DemoNFT DemoToken DemoResetToken DemoTarget DemoTokenPaymaster \
	DemoOracle AccountResolver DemoFactoryV1; do
	touch "$2/$name.json"
done`

// note counts runs of npm in a file that outlives the work.
func note(t *testing.T) (script string, count func() int) {
	log := filepath.Join(t.TempDir(), "log")
	return `[ "$*" = "ci --ignore-scripts --no-audit --no-fund" ] || exit 9; echo run >>` + log, func() int {
		text, err := os.ReadFile(log)
		require.NoError(t, err)
		return strings.Count(string(text), "run")
	}
}

func TestASecondRunDoesNothing(t *testing.T) {
	npm, runs := note(t)
	dir := tools(t, npm, compile)
	var out bytes.Buffer
	for range 2 {
		require.NoError(t, run(t.Context(), nil, &out, io.Discard))
	}
	require.Equal(t, "contracts: installed in "+dir+"\ncontracts: nothing to do, they are in "+dir+"\n", out.String())
	require.Equal(t, 1, runs())
	requireOnly(t, dir, filepath.Base(dir), "lock")

	require.NoError(t, os.Remove(filepath.Join(dir, "Proxy.json")))
	require.NoError(t, run(t.Context(), nil, io.Discard, io.Discard))
	require.True(t, artifacts.Complete(dir), "what somebody removed comes back")

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-clean"}, &out, io.Discard))
	require.Equal(t, "contracts: removed "+filepath.Dir(dir)+"\n", out.String())
	require.NoDirExists(t, dir)
}

// requireOnly wants these names beside the artifacts.
func requireOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	require.ElementsMatch(t, names, found)
}

func TestTwoAtOnceCompileOnce(t *testing.T) {
	npm, runs := note(t)
	tools(t, npm+"; sleep 0.3", compile)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := run(context.Background(), nil, io.Discard, io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Equal(t, 1, runs())
}

func TestWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ npm, node, want string }{
		"no node":        {"true", "", "node is needed to compile the contracts: "},
		"no npm":         {"", "true", "npm, which comes with node, is needed to compile the contracts: "},
		"npm fails":      {"exit 1", compile, "npm could not install what is needed to compile the contracts: exit status 1"},
		"node fails":     {"true", "exit 2", "node could not compile the contracts: exit status 2"},
		"some missing":   {"true", `mkdir "$2"`, "could not compile the contracts: some of what is wanted is missing"},
		"nothing at all": {"true", "true", "could not compile the contracts: some of what is wanted is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tools(t, test.npm, test.node)
			require.ErrorContains(t, run(t.Context(), nil, io.Discard, io.Discard), test.want)
			require.NoDirExists(t, dir)
		})
	}
	require.EqualError(t, run(t.Context(), []string{"now"}, io.Discard, io.Discard), `unexpected argument "now"; -h explains the flags`)
}

func TestExit(t *testing.T) {
	var said bytes.Buffer
	require.Zero(t, exit(nil, &said))
	require.Zero(t, exit(run(t.Context(), []string{"-h"}, io.Discard, io.Discard), &said))
	require.Empty(t, said.String())
	require.Equal(t, 1, exit(run(t.Context(), []string{"now"}, io.Discard, io.Discard), &said))
	require.Equal(t, "contracts: unexpected argument \"now\"; -h explains the flags\n", said.String())
}

func TestNoCacheDirectory(t *testing.T) {
	tools(t, "true", compile)
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv(artifacts.Env, "")
	err := run(t.Context(), nil, io.Discard, io.Discard)
	require.ErrorContains(t, err, "no cache directory for contracts: ")
	require.ErrorContains(t, err, "; $SESAME_CONTRACTS can name a directory of artifacts instead")
	require.ErrorContains(t, run(t.Context(), []string{"-clean"}, io.Discard, io.Discard), "no cache directory for contracts: ")

	named := t.TempDir()
	for _, contract := range artifacts.Names() {
		require.NoError(t, os.WriteFile(filepath.Join(named, contract+".json"), []byte(`{"bytecode":"0x00"}`), 0o600))
	}
	t.Setenv(artifacts.Env, named)
	var said bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &said, io.Discard), "nothing is missing")
	require.Equal(t, "contracts: nothing to do, $SESAME_CONTRACTS names all of them\n", said.String())
	t.Setenv(artifacts.Env, "")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Setenv("XDG_CACHE_HOME", file)
	require.ErrorContains(t, run(t.Context(), nil, io.Discard, io.Discard), "make the directory to compile the contracts in: ")
}

// TestInterrupted wants an interrupted npm to end with what it started, and nothing to stay but what was
// there.
func TestInterrupted(t *testing.T) {
	alive := filepath.Join(t.TempDir(), "alive")
	require.NoError(t, syscall.Mkfifo(alive, 0o600))
	dir := tools(t, "exec 3>"+alive+"; sleep 300 & echo >&3; wait", compile) // both have it open while they live
	root := filepath.Dir(dir)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "building-killed"), 0o755)) // by a build that was killed
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, nil, io.Discard, io.Discard) }()
	opened := make(chan *os.File, 1)
	go func() {
		file, err := os.Open(alive) // waits for who writes
		if err == nil {
			_, err = file.Read(make([]byte, 1))
		}
		assert.NoError(t, err)
		opened <- file
	}()
	var started *os.File
	select {
	case started = <-opened:
	case err := <-ended:
		t.Fatal("it has ended already:", err)
	}
	defer started.Close()

	// Another one that waits can be interrupted, too.
	waiting, giveUp := context.WithCancel(t.Context())
	said := &saying{do: giveUp}
	require.ErrorIs(t, run(waiting, nil, io.Discard, said), context.Canceled)
	require.Equal(t, "contracts: waiting for another build\n", said.String())

	interrupt()
	require.EqualError(t, <-ended, "npm could not install what is needed to compile the contracts: interrupted")
	requireOnly(t, dir, "lock")
	require.NoError(t, started.SetReadDeadline(time.Now().Add(time.Minute)))
	left, err := io.ReadAll(started)
	require.NoError(t, err, "something lives on")
	require.Empty(t, left)
}

// saying is what a program says, which does something when it says it.
type saying struct {
	bytes.Buffer
	do func()
}

func (s *saying) Write(p []byte) (int, error) {
	defer s.do()
	return s.Buffer.Write(p)
}
