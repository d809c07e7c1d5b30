package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/go-sesame/sesame/account/accounttest"
)

// replicas are further processes of this program, which share its work.
type replicas struct {
	processes []*exec.Cmd
	stderr    io.Writer
}

// startReplicas starts as many as the options say, each at another place in the list of users. They end with
// ctx. Those that were started are returned with an error, too.
func startReplicas(ctx context.Context, o *options, run string, at accounttest.Services, stderr io.Writer) (*replicas, error) {
	r := &replicas{stderr: stderr}
	program, err := os.Executable()
	if err != nil {
		return r, err
	}
	for i := range o.replicas {
		cmd := exec.CommandContext(ctx, program,
			"-join="+run, fmt.Sprint("-from=", (i+1)*o.users/(o.replicas+1)), fmt.Sprint("-workers=", o.workers),
			fmt.Sprint("-nft=", o.nft), "-rpc="+at.RPC, "-bundler="+at.Bundler, "-paymaster="+at.Paymaster)
		cmd.Env = append(os.Environ(), storeEnv+"="+o.store)
		cmd.Stderr = stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 5 * time.Second
		if err := cmd.Start(); err != nil {
			return r, fmt.Errorf("start a replica: %w", err)
		}
		r.processes = append(r.processes, cmd)
		fmt.Fprintf(stderr, "replica: started as process %d\n", cmd.Process.Pid)
	}
	return r, nil
}

// wait waits until all processes have ended. How one did is told, and does not matter: the others go through
// all users, too.
func (r *replicas) wait() {
	var group sync.WaitGroup
	for _, cmd := range r.processes {
		group.Go(func() {
			if err := cmd.Wait(); err != nil {
				fmt.Fprintf(r.stderr, "replica: process %d: %v\n", cmd.Process.Pid, err)
			}
		})
	}
	group.Wait()
}
