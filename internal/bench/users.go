package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
)

const (
	manyUsers = 1000
	// manyWorkers are how many users are acted for at once, on both sides.
	manyWorkers = 32
)

// measureUsers is of the example many-users on the chain in its process, beside a bare client that sends the
// same signed operations, which were recorded before, on such a chain in its own: one JSON-RPC request for
// each, and others until its receipt is there.
func measureUsers(ctx context.Context, b *bench) (err error) {
	dir, err := os.MkdirTemp("", "sesame-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "many-users")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/go-sesame/sesame/examples/many-users").CombinedOutput(); err != nil {
		return fmt.Errorf("build many-users: %w\n%s", err, out)
	}
	file := filepath.Join(dir, "recording.json")
	if err := recordUsers(ctx, program, file); err != nil {
		return err
	}
	ours := func(ctx context.Context) (float64, error) { return runUsers(ctx, program) }
	theirs := func(ctx context.Context) (float64, error) { return replayed(ctx, file) }
	values, err := interleave(ctx, b.rounds(3), ours, theirs)
	if err != nil {
		return err
	}
	b.add(row{
		name: "many-users, 1,000 users × 2 operations ÷ replayed by a bare client", other: "replay", unit: nanoseconds,
		least: 1.3, want: 1.15,
	}, paired(values[0], values[1]))
	return nil
}

var togetherLine = regexp.MustCompile(`(?m)^ *together +(\S+),`)

// runUsers runs the example and returns how long granting and minting took, as it says itself.
func runUsers(ctx context.Context, program string, args ...string) (float64, error) {
	args = append(args, "-users", fmt.Sprint(manyUsers), "-workers", fmt.Sprint(manyWorkers))
	var said bytes.Buffer
	run := exec.CommandContext(ctx, program, args...)
	run.Stderr = &said
	out, err := run.Output()
	if err != nil {
		return 0, fmt.Errorf("many-users: %w\n%s", err, said.String())
	}
	line := togetherLine.FindSubmatch(out)
	if line == nil {
		return 0, fmt.Errorf("many-users does not say how long it took:\n%s", out)
	}
	took, err := time.ParseDuration(string(line[1]))
	return float64(took), err
}

// recordUsers keeps the operations that the example sends, in a file.
func recordUsers(ctx context.Context, program, file string) (err error) {
	devnet, err := accounttest.StartDevnet(ctx, accounttest.DevnetConfig{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, devnet.Close()) }()
	between, err := jsonrpctest.StartServer(jsonrpctest.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, between.Close()) }()
	between.Otherwise(jsonrpctest.Forward(devnet.Services.Bundler))
	if _, err := runUsers(ctx, program, "-rpc", devnet.RPC, "-bundler", between.URL(), "-paymaster", devnet.Services.Paymaster); err != nil {
		return err
	}
	var recorded recording
	for _, request := range between.Requests("eth_sendUserOperation") {
		var op struct{ InitCode hexutil.Bytes }
		if err := json.Unmarshal(request.Params[0], &op); err != nil {
			return err
		}
		if len(op.InitCode) > 0 {
			recorded.Grants = append(recorded.Grants, request.Params[0])
		} else {
			recorded.Mints = append(recorded.Mints, request.Params[0])
		}
	}
	if len(recorded.Grants) != manyUsers || len(recorded.Mints) != manyUsers {
		return fmt.Errorf("%d grants and %d mints were recorded, not %d of each", len(recorded.Grants), len(recorded.Mints), manyUsers)
	}
	text, err := json.Marshal(recorded)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// recording are signed operations as they were sent: those that grant, and those of the sessions.
type recording struct{ Grants, Mints []json.RawMessage }

// replayed is the time that a child takes to replay a recording.
func replayed(ctx context.Context, file string) (took float64, err error) {
	c, err := startSelf(ctx, "replay")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	var answer struct{ Nanoseconds float64 }
	err = c.ask(map[string]string{"file": file}, &answer)
	return answer.Nanoseconds, err
}

// serveReplay is the child that replays.
func serveReplay() error {
	ctx := context.Background()
	return serve(os.Stdin, os.Stdout, func(line []byte) (any, error) {
		var question struct{ File string }
		if err := json.Unmarshal(line, &question); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(question.File)
		if err != nil {
			return nil, err
		}
		var recorded recording
		if err := json.Unmarshal(text, &recorded); err != nil {
			return nil, err
		}
		took, err := recorded.replay(ctx)
		return map[string]float64{"nanoseconds": float64(took)}, err
	})
}

func (r *recording) replay(ctx context.Context) (took time.Duration, err error) {
	devnet, err := accounttest.StartDevnet(ctx, accounttest.DevnetConfig{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, devnet.Close()) }()
	pool := tuned()
	defer pool.CloseIdleConnections()
	client, err := rpc.DialOptions(ctx, devnet.Services.Bundler, rpc.WithHTTPClient(&http.Client{Transport: pool}))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	start := time.Now()
	for _, ops := range [][]json.RawMessage{r.Grants, r.Mints} {
		// The first one alone: it changes what no other has the gas for, such as the number of tokens from 0.
		if err := resend(ctx, client, ops[0]); err != nil {
			return 0, err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(manyWorkers)
		for _, op := range ops[1:] {
			group.Go(func() error { return resend(ctx, client, op) })
		}
		if err := group.Wait(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// bareReceiptPause is between two looks for a receipt: about what a bundle takes.
const bareReceiptPause = 10 * time.Millisecond

// resend sends an operation and waits for its receipt.
func resend(ctx context.Context, client *rpc.Client, op json.RawMessage) error {
	var hash common.Hash
	if err := client.CallContext(ctx, &hash, "eth_sendUserOperation", op, entryPoint); err != nil {
		return err
	}
	for {
		var receipt *struct{ Success bool }
		switch err := client.CallContext(ctx, &receipt, "eth_getUserOperationReceipt", hash); {
		case err != nil:
			return err
		case receipt != nil && !receipt.Success:
			return fmt.Errorf("operation %s failed", hash)
		case receipt != nil:
			return nil
		}
		if err := pause(ctx, bareReceiptPause); err != nil {
			return err
		}
	}
}
