package e2e

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/go-sesame/sesame/internal/npm"
)

//go:embed source/package.json source/package-lock.json source/.npmrc source/loopback.cjs
var source embed.FS

// ErrNotInstalled means that the services are not there. It says how to get them.
var ErrNotInstalled = errors.New("services not installed: run `make e2e`, or " +
	"`go run ./internal/testutil/e2e/install` alone (needs node and npm)")

// Tools are the programs of the services.
type Tools struct {
	anvil string
	// node runs alto, with loopback before it.
	node, alto, loopback string
}

// install says what to install, and where.
func install(stderr io.Writer) (*npm.Build, error) {
	files, err := fs.Sub(source, "source")
	if err != nil {
		return nil, err
	}
	dir, err := npm.Place("services", files)
	if err != nil {
		return nil, err
	}
	return &npm.Build{
		Name: "e2e", Purpose: "run a node and a bundler",
		Dir: dir, Source: files, Stderr: stderr,
		Complete: func(dir string) bool {
			_, err := find(dir)
			return err == nil
		},
	}, nil
}

// Install installs the services, if they are not there.
func Install(ctx context.Context, stderr io.Writer) error {
	build, err := install(stderr)
	if err != nil {
		return err
	}
	return build.Run(ctx)
}

// Remove removes whatever was installed.
func Remove() error {
	b, err := install(io.Discard)
	if err != nil {
		return err
	}
	return b.Remove()
}

// Find returns the services that are installed. The error matches [ErrNotInstalled] where they are not.
func Find() (Tools, error) {
	build, err := install(io.Discard)
	if err != nil {
		return Tools{}, err
	}
	return find(build.Dir)
}

// find looks in a directory of npm packages: Anvil is a program in a package for the machine, Alto a script.
func find(dir string) (Tools, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return Tools{}, fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	anvils, err := filepath.Glob(filepath.Join(dir, "node_modules/@foundry-rs/anvil-*/bin/anvil*"))
	if err != nil || len(anvils) != 1 {
		return Tools{}, fmt.Errorf("%w: Anvil is not in %s", ErrNotInstalled, dir)
	}
	t := Tools{
		anvil:    anvils[0],
		node:     node,
		alto:     filepath.Join(dir, "node_modules/@pimlico/alto/esm/cli/alto.js"),
		loopback: filepath.Join(dir, "loopback.cjs"),
	}
	for _, file := range []string{t.alto, t.loopback} {
		if _, err := os.Stat(file); err != nil {
			return Tools{}, fmt.Errorf("%w: %w", ErrNotInstalled, err)
		}
	}
	return t, nil
}
