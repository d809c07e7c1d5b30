package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// replicas are further processes of this program, which share its work.
type replicas struct {
	processes []*exec.Cmd
	stderr    io.Writer
}

// startReplicas starts as many as the options say. They end with ctx.
func startReplicas(ctx context.Context, o *options, stderr io.Writer) (*replicas, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &replicas{stderr: stderr}
	for range o.replicas {
		cmd := exec.CommandContext(ctx, program, "-join", fmt.Sprint("-workers=", o.workers), fmt.Sprint("-nft=", o.nft))
		cmd.Env = append(os.Environ(), storeEnv+"="+o.store)
		cmd.Stderr = stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 5 * time.Second
		if err := cmd.Start(); err != nil {
			return nil, errors.Join(fmt.Errorf("start a replica: %w", err), r.kill())
		}
		r.processes = append(r.processes, cmd)
		fmt.Fprintf(stderr, "replica: started as process %d\n", cmd.Process.Pid)
	}
	return r, nil
}

// wait waits until all processes have ended. It does not matter how one did, if the others have done the
// work.
func (r *replicas) wait(ctx context.Context, q queue, users int) error {
	failed := make([]error, len(r.processes))
	var group sync.WaitGroup
	for i, cmd := range r.processes {
		group.Go(func() {
			if err := cmd.Wait(); err != nil {
				failed[i] = fmt.Errorf("process %d: %w", cmd.Process.Pid, err)
				fmt.Fprintln(r.stderr, "replica:", failed[i])
			}
		})
	}
	group.Wait()
	done, err := q.done(ctx)
	switch {
	case err != nil:
		return err
	case done < users:
		return fmt.Errorf("the replicas ended with %d of %d jobs done: %w", done, users, errors.Join(failed...))
	}
	return nil
}

func (r *replicas) kill() error {
	var errs []error
	for _, cmd := range r.processes {
		errs = append(errs, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	return errors.Join(errs...)
}
