// Contracts installs the compiled contracts that package accounttest runs its chain on.
//
//	go run github.com/go-sesame/sesame/account/accounttest/contracts
//
// It needs node and npm. What they are compiled from is part of this command
// (accounttest/internal/artifacts/source), and of npm packages that it pins by their hashes; the result is
// kept in the user's cache directory under a name made of all that, where accounttest looks for it. There is
// nothing to do until they change, and a further run says so.
//
//	go run github.com/go-sesame/sesame/account/accounttest/contracts -clean
//
// removes everything that was ever installed so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-sesame/sesame/account/accounttest/internal/artifacts"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr)
	stop()
	os.Exit(code)
}

// exit says what went wrong, and returns the exit code.
func exit(err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, "contracts:", err)
	return 1
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("contracts", flag.ContinueOnError)
	set.SetOutput(stderr)
	clean := set.Bool("clean", false, "remove what was installed")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; -h explains the flags", set.Arg(0))
	}
	if *clean {
		return remove(stdout)
	}
	return install(ctx, stdout, stderr)
}

// remove removes what any version of this command installed.
func remove(stdout io.Writer) error {
	root, err := artifacts.Root()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "contracts: removed", root)
	return nil
}

// install compiles the contracts, if they are not there.
func install(ctx context.Context, stdout, stderr io.Writer) error {
	dir, err := artifacts.Dir()
	if err != nil {
		if _, missing := artifacts.Load(); missing == nil {
			fmt.Fprintf(stdout, "contracts: nothing to do, $%s names all of them\n", artifacts.Env)
			return nil
		}
		return fmt.Errorf("%w; $%s can name a directory of artifacts instead", err, artifacts.Env)
	}
	if artifacts.Complete(dir) {
		fmt.Fprintln(stdout, "contracts: nothing to do, they are in", dir)
		return nil
	}
	if err := artifacts.Install(ctx, dir, stderr); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "contracts: installed in", dir)
	return nil
}
