package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// The exit codes; see exitCodesHelp.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitAction      = 3
	exitInterrupted = 130
)

// program is the command line with all that it touches, so that tests run it in their process.
type program struct {
	stdin     io.Reader
	out, note *printer // standard output, and standard error
	env       func(string) string
	now       func() time.Time
	dial      dialer
	secrets   *secrets
}

func newProgram(stdin io.Reader, stdout, stderr io.Writer, env func(string) string) *program {
	hidden := new(secrets)
	return &program{
		stdin: stdin, out: newPrinter(stdout, env, hidden), note: newPrinter(stderr, env, hidden),
		env: env, now: time.Now, dial: networkDialer{}, secrets: hidden,
	}
}

// command is one of the program's. Its define names its flags, and returns what it does once they are set.
type command struct {
	name    string
	args    string // how its arguments are written, empty for none
	summary string
	about   string
	define  func(f *flags) action
}

// action does what a command is for.
type action func(ctx context.Context, c *call) error

// call is one run of a command.
type call struct {
	*program
	args []string
	json bool
	yes  bool
}

// commands are all of them, in the order that help has them in.
func commands() []command {
	return []command{
		devnetCommand(), inspectCommand(), decodeCommand(), checkServicesCommand(), stopsCommand(), stopCommand(), liftCommand(),
		suspendCommand(), reconcileCommand(), exportCommand(), importCommand(), rotateCommand(),
	}
}

// usageError is a command line that cannot be run.
type usageError struct{ problem string }

func (e *usageError) Error() string { return e.problem }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// actionError says that all went well, and that somebody has to do something about what was found.
type actionError struct{ found int }

func (e *actionError) Error() string {
	if e.found == 1 {
		return "1 thing needs action"
	}
	return fmt.Sprintf("%d things need action", e.found)
}

// needsAction is the error of so many things that were found, nil for none.
func needsAction(found int) error {
	if found == 0 {
		return nil
	}
	return &actionError{found}
}

func (p *program) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		p.overview(p.note)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return p.help(rest)
	case "version", "-version", "--version":
		return p.version(rest)
	}
	for _, cmd := range commands() {
		if cmd.name == name {
			return p.finish(ctx, cmd, p.start(ctx, cmd, rest))
		}
	}
	p.note.line("sesame: there is no command %s%s; sesame help lists them", shown(name), nearest(name))
	return exitUsage
}

// start parses the command's flags and does what it is for.
func (p *program) start(ctx context.Context, cmd command, args []string) error {
	for _, arg := range args { // wherever it stands, and whatever is wrong with it
		if strings.Contains(arg, "://") {
			p.secrets.add(arg)
			p.secrets.add(afterEqual(arg))
		}
	}
	f := newFlags(cmd.name)
	do := cmd.define(f)
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if cmd.args == "" && len(rest) > 0 {
		return usagef("unexpected argument %s", shown(rest[0]))
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	if err := do(ctx, &call{program: p, args: rest, json: f.json, yes: f.yes}); err != nil {
		return err
	}
	if p.out.err != nil {
		return fmt.Errorf("write the result: %w", p.out.err)
	}
	return nil
}

// finish says how the command ended, and returns the exit code.
func (p *program) finish(ctx context.Context, cmd command, err error) int {
	_, usage := errors.AsType[*usageError](err)
	_, found := errors.AsType[*actionError](err)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		p.explain(p.out, cmd)
		return exitOK
	case usage:
		p.note.line("sesame %s: %v; sesame help %s explains it", cmd.name, err, cmd.name)
		return exitUsage
	case found:
		p.note.line("sesame %s: %v", cmd.name, err)
		return exitAction
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		p.note.line("sesame %s: interrupted", cmd.name)
		return exitInterrupted
	}
	text := err.Error() + wayOut(err)
	for i, line := range strings.Split(text, "\n") { // joined errors have a line each
		if i == 0 {
			line = fmt.Sprintf("sesame %s: %s", cmd.name, line)
		}
		p.note.line("%s", line)
	}
	return exitFailed
}

// nearest is the command that was meant, as far as it begins like name or has its letters; empty for none.
func nearest(name string) string {
	for _, cmd := range commands() {
		if len(name) >= 2 && (strings.HasPrefix(cmd.name, name) || strings.HasPrefix(name, cmd.name) || sameLetters(cmd.name, name)) {
			return ", is it " + cmd.name + "?"
		}
	}
	return ""
}

// sameLetters reports whether the two have the same letters, apart from their order and one of them.
func sameLetters(a, b string) bool {
	count := make(map[rune]int)
	for _, r := range a {
		count[r]++
	}
	for _, r := range b {
		count[r]--
	}
	off := 0
	for _, n := range count {
		off += max(n, -n)
	}
	return off <= 1
}
