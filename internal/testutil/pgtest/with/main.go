// With runs a command while a private PostgreSQL server for tests is up, and names it in
// SESAME_EXAMPLES_POSTGRES_URL: for tests that can be copied out of this module, and so know no package of
// ours that would start one.
//
//	go run ./internal/testutil/pgtest/with go test ./examples/...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
)

const urlEnv = "SESAME_EXAMPLES_POSTGRES_URL"

func main() {
	err := run(os.Args[1:])
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(max(failed.ExitCode(), 1)) // which said itself what is wrong
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(command []string) (err error) {
	if len(command) == 0 {
		return errors.New("no command to run")
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // the command gets it too, and ends; the server after it
	url, stop, err := pgtest.Start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), urlEnv+"="+url)
	return cmd.Run()
}
