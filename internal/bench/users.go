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

// measureUsers is of the example many-users on the chain in its process, beside a bare client that repeats
// what was recorded of it before, on such a chain in its own: for each operation what the paymaster was
// asked, the send of the same signed bytes, and requests until its receipt is there. Chain, bundler and
// paymaster do the same work in both.
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
	send, err := jsonrpctest.StartServer(jsonrpctest.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, send.Close()) }()
	pay, err := jsonrpctest.StartServer(jsonrpctest.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pay.Close()) }()
	send.Otherwise(jsonrpctest.Forward(devnet.Services.Bundler))
	pay.Otherwise(jsonrpctest.Forward(devnet.Services.Paymaster))
	if _, err := runUsers(ctx, program, "-rpc", devnet.RPC, "-bundler", send.URL(), "-paymaster", pay.URL()); err != nil {
		return err
	}
	recorded, err := recordingOf(send.Requests("eth_sendUserOperation"), pay.Requests(""))
	if err != nil {
		return err
	}
	text, err := json.Marshal(recorded)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// recording are the sends of the example: those that grant, and those of the sessions.
type recording struct{ Grants, Mints []recordedSend }

// recordedSend is a signed operation as it was sent, and what the paymaster was asked about it before.
type recordedSend struct {
	Op    json.RawMessage
	Asked []recordedRequest
}

type recordedRequest struct {
	Method string
	Params []json.RawMessage
}

// recordedFor says for which of an account's two operations a request was.
type recordedFor struct {
	sender  common.Address
	granted bool
}

func forWhich(request *jsonrpctest.Request) (recordedFor, error) {
	var op struct {
		Sender   common.Address
		InitCode hexutil.Bytes
	}
	if len(request.Params) == 0 {
		return recordedFor{}, fmt.Errorf("%s without an operation", request.Method)
	}
	err := json.Unmarshal(request.Params[0], &op)
	return recordedFor{op.Sender, len(op.InitCode) == 0}, err
}

// recordingOf is of one grant and one mint of each user, for which the paymaster was asked, too.
func recordingOf(sends, asks []jsonrpctest.Request) (*recording, error) {
	asked := make(map[recordedFor][]recordedRequest)
	for i := range asks {
		which, err := forWhich(&asks[i])
		if err != nil {
			return nil, err
		}
		asked[which] = append(asked[which], recordedRequest{asks[i].Method, asks[i].Params})
	}
	recorded := new(recording)
	for i := range sends {
		which, err := forWhich(&sends[i])
		if err != nil {
			return nil, err
		}
		send := recordedSend{sends[i].Params[0], asked[which]}
		if len(send.Asked) == 0 {
			return nil, errors.New("the paymaster was not asked about an operation")
		}
		if which.granted {
			recorded.Mints = append(recorded.Mints, send)
		} else {
			recorded.Grants = append(recorded.Grants, send)
		}
	}
	if len(recorded.Grants) != manyUsers || len(recorded.Mints) != manyUsers {
		return nil, fmt.Errorf("%d grants and %d mints were recorded, not %d of each", len(recorded.Grants), len(recorded.Mints), manyUsers)
	}
	return recorded, nil
}

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
	through := &http.Client{Transport: pool}
	send, err := rpc.DialOptions(ctx, devnet.Services.Bundler, rpc.WithHTTPClient(through))
	if err != nil {
		return 0, err
	}
	defer send.Close()
	pay, err := rpc.DialOptions(ctx, devnet.Services.Paymaster, rpc.WithHTTPClient(through))
	if err != nil {
		return 0, err
	}
	defer pay.Close()
	start := time.Now()
	for _, sends := range [][]recordedSend{r.Grants, r.Mints} {
		// The first one alone: it changes what no other has the gas for, such as the number of tokens from 0.
		if err := sends[0].again(ctx, send, pay); err != nil {
			return 0, err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(manyWorkers)
		for i := range sends[1:] {
			group.Go(func() error { return sends[1+i].again(ctx, send, pay) })
		}
		if err := group.Wait(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// bareReceiptPause is between two looks for a receipt: about what a bundle takes.
const bareReceiptPause = 10 * time.Millisecond

// again asks the paymaster what it was asked, whose answer is in the operation, sends that and waits for its
// receipt.
func (s *recordedSend) again(ctx context.Context, send, pay *rpc.Client) error {
	for _, request := range s.Asked {
		params := make([]any, len(request.Params))
		for i := range params {
			params[i] = request.Params[i]
		}
		if err := pay.CallContext(ctx, new(json.RawMessage), request.Method, params...); err != nil {
			return err
		}
	}
	var hash common.Hash
	if err := send.CallContext(ctx, &hash, "eth_sendUserOperation", s.Op, entryPoint); err != nil {
		return err
	}
	for {
		var receipt *struct{ Success bool }
		switch err := send.CallContext(ctx, &receipt, "eth_getUserOperationReceipt", hash); {
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
