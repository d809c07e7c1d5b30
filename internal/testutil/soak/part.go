package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// slot is the place of a worker and, where that is killed, of its successors.
type slot struct {
	assignment
	dir      string
	follower follower

	mu      sync.Mutex
	process *exec.Cmd
	stdin   io.WriteCloser
	stopped bool
	settled bool // its worker was told to settle
	doomed  bool // the process that runs is about to be killed
	kills   int
}

// run has one worker after the other until one ends by itself.
func (s *slot) run(ctx context.Context) error {
	for {
		killed, err := s.live(ctx)
		if !killed {
			return err
		}
	}
}

// live is the life of one worker. killed says that it was ended by kill.
func (s *slot) live(ctx context.Context) (killed bool, err error) {
	s.Life++
	name := fmt.Sprintf("slot-%d-life-%d", s.Slot, s.Life)
	s.Log = filepath.Join(s.dir, name+".log")
	said, err := os.OpenFile(filepath.Join(s.dir, name+".out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, said.Close()) }()
	program, err := os.Executable()
	if err != nil {
		return false, err
	}
	process := exec.CommandContext(ctx, program, "-worker")
	process.Stdout, process.Stderr = said, said
	stdin, err := process.StdinPipe()
	if err != nil {
		return false, err
	}
	if err := process.Start(); err != nil {
		return false, err
	}
	err = s.begin(process, stdin)
	ended := process.Wait()
	killed = s.end()
	if killed {
		return true, nil
	}
	if err = errors.Join(err, ended); err != nil {
		return false, fmt.Errorf("%s: %w: %s", name, err, tail(said.Name()))
	}
	return false, nil
}

// begin tells a worker what it is to do, before any word.
func (s *slot) begin(process *exec.Cmd, stdin io.WriteCloser) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process, s.stdin, s.doomed = process, stdin, false
	err := json.NewEncoder(stdin).Encode(&s.assignment)
	if s.stopped {
		_, _ = fmt.Fprintln(stdin, stopWord)
	}
	if s.settled {
		_, _ = fmt.Fprintln(stdin, settleWord)
	}
	return err
}

func (s *slot) end() (killed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = nil
	return s.doomed
}

// kill ends the worker at once.
func (s *slot) kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || s.doomed {
		return nil
	}
	s.doomed = true
	s.kills++
	return s.process.Process.Kill()
}

// stop has the worker begin no more jobs.
func (s *slot) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped && s.process != nil {
		_, _ = fmt.Fprintln(s.stdin, stopWord) // one that has ended needs no word
	}
	s.stopped = true
}

// settle has the worker settle its users' sessions, and end.
func (s *slot) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_, _ = fmt.Fprintln(s.stdin, settleWord)
	}
	s.settled = true
}

// tail is the end of a file.
func tail(path string) string {
	const most = 4000
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// now and then does something at random moments until ctx ends, on average so often.
func nowAndThen(ctx context.Context, dice *rand.Rand, every time.Duration, do func() error) error {
	for pause(ctx, every/2+time.Duration(dice.Int64N(int64(every)))) {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}
