// Install installs the services of the end-to-end tests, Anvil and Alto, into the user's cache directory, if
// they are not there; with -clean it removes all that it ever installed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-sesame/sesame/internal/testutil/e2e"
)

func main() {
	clean := flag.Bool("clean", false, "remove what was installed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	run := func() error { return e2e.Install(ctx, os.Stderr) }
	if *clean {
		run = e2e.Remove
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}
