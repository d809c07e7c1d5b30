package main

import (
	"bufio"
	"context"
	"errors"
	"strings"
)

// errNotConfirmed means that nobody said yes.
var errNotConfirmed = errors.New("not done: it was not confirmed")

// confirm has whoever sits at the terminal say yes, unless -yes did.
func (c *call) confirm(ctx context.Context) error {
	if c.yes {
		return nil
	}
	if _, terminal := terminalWidth(c.stdin); !terminal && !isTerminal(c.stdin) {
		return usagef("not done: nobody is at a terminal to confirm it; -yes does it without asking")
	}
	c.note.write("Do it? Type yes: ")
	answer := make(chan string, 1)
	go func() { // which ends with the process, where nobody answers
		line, _ := bufio.NewReader(c.stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		c.note.write("\n")
		return ctx.Err()
	case line := <-answer:
		if strings.TrimSpace(line) != "yes" {
			return errNotConfirmed
		}
		return nil
	}
}

// isTerminal reports whether a reader says that it stands for a terminal, as one of a test does.
func isTerminal(r any) bool {
	t, ok := r.(interface{ Terminal() bool })
	return ok && t.Terminal()
}
