// Backend is a small service that a Go team can start from: users sign in with their wallet, grant sessions
// by clicking, and the service mints for them with the keys that it holds.
//
//	go run ./examples/devnet      # in one terminal: a chain with its services
//	go run ./examples/backend     # in another; then open http://127.0.0.1:8080
//
// The owner's key stays in the browser. One request prepares an operation, the wallet signs it, another
// request brings the signature: after a restart, or at another replica, since nothing is kept in memory in
// between. What the service sends is written down beside the sessions first and sent under a key
// (account.Once), so that it happens once, whichever process is killed when.
//
// Where to look: flags.go and store.go say what it runs on, serve.go how it starts and ends, login.go who may
// do what, shop.go what this application sells, handler.go, api.go and sessions.go its JSON API, refusal.go
// what an error becomes, ready.go whether it is ready for requests, and page/ the page.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil // asked for, and printed
	case err != nil:
		return err
	}
	return serve(ctx, o, slog.New(slog.NewTextHandler(stderr, nil)))
}
