package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/go-sesame/sesame/account/accounttest/internal/artifacts"
)

// build compiles the contracts into a directory.
type build struct {
	dir       string // of the artifacts
	node, npm string // paths of the programs
	stderr    io.Writer
}

// workPrefix begins the name of a directory that is worked in, beside the artifacts.
const workPrefix = "building-"

func (b *build) findTools() error {
	var err error
	if b.node, err = exec.LookPath("node"); err != nil {
		return fmt.Errorf("node is needed to compile the contracts: %w", err)
	}
	if b.npm, err = exec.LookPath("npm"); err != nil {
		return fmt.Errorf("npm, which comes with node, is needed to install what the contracts import: %w", err)
	}
	return nil
}

// runAlone compiles the contracts while no other process does.
func (b *build) runAlone(ctx context.Context) error {
	root := filepath.Dir(b.dir)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("make the directory of the contracts: %w", err)
	}
	unlock, err := waitLock(ctx, filepath.Join(root, "lock"), b.stderr)
	if err != nil {
		return fmt.Errorf("wait for another build: %w", err)
	}
	defer unlock()
	if artifacts.Complete(b.dir) { // the other one did it
		return nil
	}
	if err := removeWork(root); err != nil {
		return err
	}
	work, err := os.MkdirTemp(root, workPrefix)
	if err != nil {
		return err
	}
	return errors.Join(b.run(ctx, work), os.RemoveAll(work))
}

// removeWork removes what builds that were killed left behind.
func removeWork(root string) error {
	left, err := filepath.Glob(filepath.Join(root, workPrefix+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// run compiles in the directory work, and publishes what it made in one step.
func (b *build) run(ctx context.Context, work string) error {
	if err := copySource(work); err != nil {
		return err
	}
	// Install scripts of packages are not run.
	if err := b.exec(ctx, work, b.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		return fmt.Errorf("npm could not install what the contracts import: %w", err)
	}
	const built = "artifacts"
	if err := b.exec(ctx, work, b.node, "build.mjs", built); err != nil {
		return fmt.Errorf("the contracts could not be compiled: %w", err)
	}
	if !artifacts.Complete(filepath.Join(work, built)) {
		return errors.New("the contracts could not be compiled: some are missing")
	}
	if err := os.RemoveAll(b.dir); err != nil { // one from which files were removed
		return err
	}
	return os.Rename(filepath.Join(work, built), b.dir)
}

func copySource(to string) error {
	source, err := artifacts.Source()
	if err != nil {
		return err
	}
	return fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(path))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// exec runs a program. It and what it started end with ctx.
func (b *build) exec(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, b.stderr, b.stderr
	cmd.WaitDelay = 5 * time.Second
	endGroup(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
