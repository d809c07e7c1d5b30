// Install installs the reference SDK for the tests that work beside it into the user's cache directory, if it
// is not there; with -clean it removes all that it ever installed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-sesame/sesame/internal/testutil/sdk"
)

func main() {
	clean := flag.Bool("clean", false, "remove what was installed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	run := func() error { return sdk.Install(ctx, os.Stderr) }
	if *clean {
		run = sdk.Remove
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sdk:", err)
		os.Exit(1)
	}
}
