package e2e

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

//go:embed keep.sh
var keeper string

// process is a service that runs until it is killed, and no longer than this process.
type process struct {
	pid    int
	script *exec.Cmd
	stdin  io.Closer
}

// startProcess runs a command with its output at the end of a file.
func startProcess(log string, env []string, command ...string) (*process, error) {
	p := &process{script: exec.Command("/bin/sh", append([]string{"-c", keeper, "keep.sh", log}, command...)...)}
	p.script.Env = append(os.Environ(), env...)
	ownGroup(p.script)
	stdin, err := p.script.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := p.script.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.script.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		p.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", command[0], err), p.kill())
	}
	return p, nil
}

// kill ends the process at once, as a crash would: it is told nothing before. It is gone when kill returns.
func (p *process) kill() error {
	if p == nil || p.stdin == nil {
		return nil
	}
	err := errors.Join(p.stdin.Close(), p.script.Wait())
	p.stdin = nil
	return err
}

// freePort returns a port of 127.0.0.1 that was free a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
