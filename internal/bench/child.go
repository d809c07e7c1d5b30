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
	"sync"
	"time"
)

// child is a process that answers one line of JSON on its standard input with one on its standard output, and
// ends when its input does.
type child struct {
	name    string
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	said    words // on its standard error
}

// words are the last that a child said.
type words struct {
	mu   sync.Mutex
	last []byte
}

func (w *words) Write(p []byte) (int, error) {
	const most = 4000
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = append(w.last, p...)
	w.last = w.last[max(0, len(w.last)-most):]
	return len(p), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.last)
}

// startChild starts a program, which ends with ctx, or when it is closed.
func startChild(ctx context.Context, name, program string, args ...string) (*child, error) {
	c := &child{name: name, process: exec.CommandContext(ctx, program, args...)}
	c.process.Stderr = &c.said
	in, err := c.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReader(out)
	if err := c.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// startSelf starts this program as a child in a role.
func startSelf(ctx context.Context, role string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startChild(ctx, role, program, "-role", role)
}

// ask asks and waits for the answer. One question at a time.
func (c *child) ask(question, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err = c.in.Write(append(line, '\n')); err == nil {
		line, err = c.out.ReadBytes('\n')
	}
	var failed struct{ Error string }
	if err == nil {
		err = json.Unmarshal(line, &failed)
	}
	if err == nil && failed.Error != "" {
		err = errors.New(failed.Error)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", c.name, err, &c.said)
	}
	return json.Unmarshal(line, answer)
}

// warmPart is the part of what is measured that a side does before, which is not counted: what the other side
// did meanwhile took its place in the processor's caches.
const warmPart = 4

// duration asks a child how long something took, for each time it was done, after a while of doing it.
func (c *child) duration(do string, times int) (float64, error) {
	var answer struct{ Nanoseconds float64 }
	err := c.ask(map[string]any{"do": do, "times": times, "warm": (times + warmPart - 1) / warmPart}, &answer)
	return answer.Nanoseconds / float64(times), err
}

// each is a side that a child measures, over as many times as take about so long.
func (c *child) each(do string, long time.Duration) (side, error) {
	for n := 1; ; n *= 2 {
		took, err := c.duration(do, n)
		if err != nil {
			return nil, err
		}
		if time.Duration(took*float64(n)) > long/2 {
			n = max(1, int(float64(long)/took))
			return func(context.Context) (float64, error) { return c.duration(do, n) }, nil
		}
	}
}

// close ends the child and waits for its end.
func (c *child) close() error {
	_ = c.in.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.process.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(10 * time.Second):
		_ = c.process.Process.Kill()
		return fmt.Errorf("%s did not end: %w", c.name, <-ended)
	}
}

// serve answers the questions of the process that started this one until it has no more.
func serve(in io.Reader, out io.Writer, answer func(line []byte) (any, error)) error {
	questions := bufio.NewReader(in)
	for {
		line, err := questions.ReadBytes('\n')
		if err != nil {
			return nil // it is gone, or done
		}
		result, err := answer(line)
		if err != nil {
			result = map[string]string{"error": err.Error()}
		}
		if err := json.NewEncoder(out).Encode(result); err != nil {
			return err
		}
	}
}
