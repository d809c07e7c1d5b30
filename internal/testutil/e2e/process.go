package e2e

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

//go:embed keep.sh
var keeper string

// process is a service that runs until it is killed, and no longer than this process.
type process struct {
	pid    int
	script *exec.Cmd
	stdin  io.Closer
	ended  chan struct{} // closed when it does
}

// startProcess runs a command with its output at the end of a file.
func startProcess(log string, env []string, command ...string) (*process, error) {
	p := &process{
		script: exec.Command("/bin/sh", append([]string{"-c", keeper, "keep.sh", log}, command...)...),
		ended:  make(chan struct{}),
	}
	p.script.Env = append(os.Environ(), env...)
	ownGroup(p.script)
	stdin, err := p.script.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.script.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.script.Start(); err != nil {
		return nil, err
	}
	p.stdin = stdin
	said := bufio.NewReader(stdout)
	line, err := said.ReadString('\n')
	go func() {
		_, _ = io.Copy(io.Discard, said)
		close(p.ended)
	}()
	if err == nil {
		p.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", command[0], err), p.kill())
	}
	return p, nil
}

// startTime is how long a service may take to answer after it was started.
const startTime = 90 * time.Second

// untilReady asks a service that was just started until it answers, and it is the one that does.
func (p *process) untilReady(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return checkListening(p.pid)
		}
		select {
		case <-p.ended:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// kill ends the process at once, as a crash would: it is told nothing before. It is gone when kill returns.
func (p *process) kill() error {
	if p == nil || p.stdin == nil {
		return nil
	}
	err := p.stdin.Close()
	p.stdin = nil
	<-p.ended
	return errors.Join(err, p.script.Wait())
}
