package accounttest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-sesame/sesame/account/accounttest/internal/artifacts"
)

// InstallContracts compiles the contracts of the chain into the user's cache directory, where they are not
// there yet: once, which takes a minute, node, npm and a registry of npm packages. Out is told so, and what
// npm and node say. It is for programs that start a chain; tests leave it to whoever runs them.
func InstallContracts(ctx context.Context, out io.Writer) error {
	_, err := artifacts.Load()
	if !errors.Is(err, ErrNoContracts) {
		return err
	}
	dir, err := artifacts.Dir()
	if err == nil {
		fmt.Fprintln(out, "Compiling the contracts, which is done once and takes a minute …")
		err = artifacts.Install(ctx, dir, out)
	}
	if err != nil {
		return fmt.Errorf("compile the contracts of the test chain: %w", err)
	}
	fmt.Fprintln(out, "The contracts are in", dir)
	return nil
}
