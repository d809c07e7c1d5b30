package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-sesame/sesame/account/accounttest"
)

// process is this program, once more.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.Reader
	ready  chan struct{} // closed once it says that it works
	said   sync.WaitGroup
}

// endTime is how long a process has to end by itself.
const endTime = 40 * time.Second

// start starts this program with flags. It ends with ctx; what it says is passed on to stderr.
func start(ctx context.Context, o *options, name string, stderr io.Writer, args ...string) (*process, error) {
	program := o.program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	p := &process{cmd: exec.CommandContext(ctx, program, append(args, "-attached")...), ready: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), storeEnv+"="+o.store, passphraseEnv+"="+o.passphrase)
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = endTime
	says, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.said.Go(func() { p.passOn(says, name, stderr) })
	return p, nil
}

func (p *process) passOn(says io.Reader, name string, stderr io.Writer) {
	for lines := bufio.NewScanner(says); lines.Scan(); {
		if lines.Text() == ready {
			close(p.ready)
			continue
		}
		fmt.Fprintf(stderr, "%s %d: %s\n", name, p.cmd.Process.Pid, lines.Text())
	}
}

// startServices starts a chain with its services, and waits until it is there.
func startServices(ctx context.Context, o *options, stderr io.Writer) (*process, accounttest.Services, error) {
	p, err := start(ctx, o, "services", stderr, "-serve", fmt.Sprint("-block=", o.block))
	if err != nil {
		return nil, accounttest.Services{}, err
	}
	var at accounttest.Services
	if err := json.NewDecoder(p.stdout).Decode(&at); err != nil {
		return nil, at, errors.Join(errors.New("the services did not start"), p.end())
	}
	return p, at, nil
}

// startWorker starts a process that works, which takes a moment until it does.
func startWorker(ctx context.Context, o *options, at accounttest.Services, stderr io.Writer) (*process, error) {
	return start(ctx, o, "worker", stderr, "-rpc="+at.RPC, "-bundler="+at.Bundler, "-paymaster="+at.Paymaster,
		fmt.Sprint("-nft=", o.nft), fmt.Sprint("-at-once=", o.atOnce), fmt.Sprint("-timeout=", o.timeout), fmt.Sprint("-grace=", o.grace))
}

// works waits until a worker works.
func (p *process) works(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ended := make(chan struct{})
	go func() { p.said.Wait(); close(ended) }()
	select {
	case <-p.ready:
		return nil
	case <-ended:
		return errors.New("a worker ended before it worked")
	case <-ctx.Done():
		return fmt.Errorf("a worker does not work: %w", ctx.Err())
	}
}

// end asks a process to end and waits for it, for a limited time.
func (p *process) end() error {
	_ = p.stdin.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	p.said.Wait()
	return p.cmd.Wait()
}

// kill ends a process as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.said.Wait()
	_ = p.cmd.Wait() // which says that it was killed
	_ = p.stdin.Close()
}

func (p *process) String() string { return strings.Join(p.cmd.Args, " ") }
