package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/go-sesame/sesame/internal/testutil"
)

// build builds the backend.
func build(ctx context.Context) (program string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "sesame-backendkill-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	program = filepath.Join(dir, "backend")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/go-sesame/sesame/examples/backend").CombinedOutput()
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("build the backend: %w\n%s", err, out)
	}
	return program, remove, nil
}

// slot is one replica: a process that is started again when it was killed.
type slot struct {
	part   *part
	number int
	listen string
	args   []string
	env    []string

	mu       sync.Mutex
	cmd      *exec.Cmd
	stopping bool
	ended    chan struct{} // when the last process has
	killed   int           // processes
	failed   error
}

// publicHost is the name that browsers see, whichever replica they get to.
const publicHost = "localhost:8080"

func startSlot(ctx context.Context, p *part, number int, place string) (*slot, error) {
	port, err := testutil.FreePort()
	if err != nil {
		return nil, err
	}
	at := fmt.Sprint("127.0.0.1:", port)
	s := &slot{part: p, number: number, listen: at, ended: make(chan struct{}),
		args: []string{"-listen", at, "-origin", "http://" + publicHost,
			"-rpc", p.gateway.url("rpc", number), "-bundler", p.gateway.url("bundler", number), "-paymaster", p.gateway.url("paymaster", number)},
		env: append(os.Environ(), "SESAME_STORE="+place, "SESAME_PASSPHRASE=of the tests", "SESAME_LOGIN_SECRET=of the tests, and of nobody else's"),
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	go s.keep(ctx)
	return s, nil
}

func (s *slot) start() error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.part.program, s.args...)
	cmd.Env, cmd.Stderr = s.env, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	return nil
}

func (s *slot) log() string {
	return filepath.Join(s.part.dir, fmt.Sprintf("replica-%d.log", s.number))
}

// lastSaid is the last line of the process's log.
func (s *slot) lastSaid() string {
	log, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(lines[len(lines)-1])
}

// keep starts the process again whenever it was killed.
func (s *slot) keep(ctx context.Context) {
	defer close(s.ended)
	for {
		err := s.cmd.Wait()
		s.mu.Lock()
		exit, ok := errors.AsType[*exec.ExitError](err)
		killed := ok && exit.Sys().(syscall.WaitStatus).Signaled()
		if s.stopping || ctx.Err() != nil || !killed {
			if !s.stopping || !killed && err != nil {
				s.failed = fmt.Errorf("replica %d ended by itself: %w; it said last: %s", s.number, errors.Join(err, ctx.Err()), s.lastSaid())
			}
			s.mu.Unlock()
			return
		}
		s.killed++
		s.failed = s.start()
		s.mu.Unlock()
		if s.failed != nil {
			return
		}
	}
}

// kill kills the process, so that nothing of it runs any more.
func (s *slot) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Kill()
}

// stop ends the process as an operator does.
func (s *slot) stop() error {
	s.mu.Lock()
	s.stopping = true
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	s.mu.Unlock()
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		s.kill()
		return fmt.Errorf("replica %d did not end", s.number)
	}
	return s.failed
}

// kills is how many processes were killed. Fewer than the traps that sprang: two can for one process.
func (s *slot) kills() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killed
}

// alive returns an error for a process that is gone for good.
func (s *slot) alive() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}
