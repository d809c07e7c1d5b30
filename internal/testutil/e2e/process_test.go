//go:build unix

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const killedEnv = "SESAME_E2E_KILLED"

func TestMain(m *testing.M) {
	if log := os.Getenv(killedEnv); log != "" {
		runUntilKilled(log)
	}
	if told := os.Getenv(senderEnv); told != "" {
		sendUntilKilled(told)
	}
	os.Exit(m.Run())
}

// runUntilKilled starts a process, says its id, and waits.
func runUntilKilled(log string) {
	p, err := startProcess(log, nil, "sleep", "300")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.pid)
	select {}
}

func runs(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestAProcessIsGoneWhenItWasKilled(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := startProcess(log, []string{"SAID=something"}, "sh", "-c", "echo $SAID; exec sleep 300")
	require.NoError(t, err)
	require.True(t, runs(p.pid))
	require.Eventually(t, func() bool {
		said, err := os.ReadFile(log)
		return err == nil && string(said) == "something\n"
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, p.kill())
	require.False(t, runs(p.pid))
	require.NoError(t, p.kill(), "again is nothing")
}

func TestAProcessThatEndsIsNotWaitedFor(t *testing.T) {
	p, err := startProcess(filepath.Join(t.TempDir(), "log"), nil, "false")
	require.NoError(t, err)
	refused := errors.New("refused")
	require.EqualError(t, p.untilReady(t.Context(), func(context.Context) error { return refused }), "it ended by itself")
	require.NoError(t, p.kill())
}

// TestAProcessEndsWithTheTests kills the process that started another.
func TestAProcessEndsWithTheTests(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedEnv+"="+filepath.Join(t.TempDir(), "log"))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		require.NoError(t, err)
		require.True(t, runs(pid))
		require.NoError(t, cmd.Process.Signal(signal))
		require.Error(t, cmd.Wait())
		require.Eventually(t, func() bool { return !runs(pid) }, time.Minute, 10*time.Millisecond, signal)
	}
}

func TestListening(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		require.NoError(t, checkListening(os.Getpid()), "nothing is known here")
		return
	}
	require.ErrorContains(t, checkListening(os.Getpid()), "listens nowhere")
	listen := func(address string) {
		t.Helper()
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
	}
	listen("127.0.0.1:0")
	require.NoError(t, checkListening(os.Getpid()))
	listen("127.0.0.2:0") // no farther out, and not where it should be
	require.ErrorContains(t, checkListening(os.Getpid()), "listens on 0200007F:")
	require.ErrorContains(t, checkListening(1<<22+1), "does not run")
}
