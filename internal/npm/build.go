package npm

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
)

// Build says what to make.
type Build struct {
	// Name goes before what is said meanwhile; Purpose says what node and npm are for, as in "compile the
	// contracts".
	Name, Purpose string
	// Dir is what is made, replaced if it is not complete. The directory it is in has a lock, and what is
	// worked in.
	Dir string
	// Source has package.json, package-lock.json and .npmrc, and whatever else Script needs.
	Source fs.FS
	// Script is what node runs in a copy of Source where the packages are installed, if anything.
	Script []string
	// Result is the directory in that copy that becomes Dir; all of it where there is none.
	Result string
	// Complete reports whether a directory has everything.
	Complete func(dir string) bool
	// Stderr is told what npm and node say.
	Stderr io.Writer
}

// workPrefix begins the name of a directory that is worked in, beside the result.
const workPrefix = "building-"

// Run makes it, unless it is there.
func (b *Build) Run(ctx context.Context) error {
	if b.Complete(b.Dir) {
		return nil
	}
	t, err := b.findTools()
	if err != nil {
		return err
	}
	root := filepath.Dir(b.Dir)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("make the directory to %s in: %w", b.Purpose, err)
	}
	unlock, err := b.waitLock(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return fmt.Errorf("wait for another build: %w", err)
	}
	defer unlock()
	if b.Complete(b.Dir) { // the other one did it
		return nil
	}
	if err := removeWork(root); err != nil {
		return err
	}
	work, err := os.MkdirTemp(root, workPrefix)
	if err != nil {
		return err
	}
	return errors.Join(b.build(ctx, t, work), os.RemoveAll(work))
}

// tools are the paths of the programs.
type tools struct{ node, npm string }

func (b *Build) findTools() (tools, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return tools{}, fmt.Errorf("node is needed to %s: %w", b.Purpose, err)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return tools{}, fmt.Errorf("npm, which comes with node, is needed to %s: %w", b.Purpose, err)
	}
	return tools{node, npm}, nil
}

// removeWork removes what builds that were killed left behind.
func removeWork(root string) error {
	left, err := filepath.Glob(filepath.Join(root, workPrefix+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// build works in the directory work, and publishes what it made in one step.
func (b *Build) build(ctx context.Context, t tools, work string) error {
	if err := os.CopyFS(work, b.Source); err != nil {
		return err
	}
	if err := b.exec(ctx, work, t.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		return fmt.Errorf("npm could not install what is needed to %s: %w", b.Purpose, err)
	}
	if len(b.Script) > 0 {
		if err := b.exec(ctx, work, t.node, b.Script...); err != nil {
			return fmt.Errorf("node could not %s: %w", b.Purpose, err)
		}
	}
	result := filepath.Join(work, b.Result)
	if !b.Complete(result) {
		return fmt.Errorf("could not %s: some of what is wanted is missing", b.Purpose)
	}
	if err := os.RemoveAll(b.Dir); err != nil { // one from which files were removed
		return err
	}
	return os.Rename(result, b.Dir)
}

// exec runs a program. It and what it started end with ctx.
func (b *Build) exec(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, b.Stderr, b.Stderr
	cmd.WaitDelay = 5 * time.Second
	endGroup(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
