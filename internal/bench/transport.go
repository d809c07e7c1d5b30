package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// tuned is a transport as one tunes net/http's for one host and many goroutines.
func tuned() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     90 * time.Second,
	}
}

// wireOperation is an operation as a user of go-ethereum's client would have it.
type wireOperation struct {
	Sender               common.Address `json:"sender"`
	Nonce                *hexutil.U256  `json:"nonce"`
	InitCode             hexutil.Bytes  `json:"initCode"`
	CallData             hexutil.Bytes  `json:"callData"`
	CallGasLimit         *hexutil.U256  `json:"callGasLimit"`
	VerificationGasLimit *hexutil.U256  `json:"verificationGasLimit"`
	PreVerificationGas   *hexutil.U256  `json:"preVerificationGas"`
	MaxFeePerGas         *hexutil.U256  `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.U256  `json:"maxPriorityFeePerGas"`
	PaymasterAndData     hexutil.Bytes  `json:"paymasterAndData"`
	Signature            hexutil.Bytes  `json:"signature"`
}

func onWire(op *userop.Operation) *wireOperation {
	number := func(n uint256.Int) *hexutil.U256 { return (*hexutil.U256)(&n) }
	return &wireOperation{
		op.Sender, number(op.Nonce), op.InitCode, op.CallData, number(op.CallGasLimit), number(op.VerificationGasLimit), number(op.PreVerificationGas),
		number(op.MaxFeePerGas), number(op.MaxPriorityFeePerGas), op.PaymasterAndData, op.Signature,
	}
}

// measureTransport is of sending a signed operation: our bundler client beside go-ethereum's rpc client on a
// tuned transport. The service is another process, which has the answer ready.
func measureTransport(ctx context.Context, b *bench) (err error) {
	s, err := newSigning(ctx, 1)
	if err != nil {
		return err
	}
	if s.op.Signature, err = s.sign(ctx); err != nil {
		return err
	}
	services, url, err := startServices(ctx, servicesQuestion{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, services.close()) }()
	ours := bundler.New(url)
	defer ours.Close()
	pool := tuned()
	defer pool.CloseIdleConnections()
	theirs, err := rpc.DialOptions(ctx, url, rpc.WithHTTPClient(&http.Client{Transport: pool}))
	if err != nil {
		return err
	}
	defer theirs.Close()
	want, op := s.op.Hash(entryPoint, chainID), onWire(s.op)
	send := func(ctx context.Context, _ int) error {
		hash, err := ours.SendUserOperation(ctx, s.op, entryPoint)
		return sameHash(hash, want, err)
	}
	sendTheirs := func(ctx context.Context, _ int) error {
		var hash common.Hash
		err := theirs.CallContext(ctx, &hash, "eth_sendUserOperation", op, entryPoint)
		return sameHash(hash, want, err)
	}
	for _, target := range []struct {
		goroutines  int
		least, want float64
	}{{1, 0.85, 0.78}, {16, 0.70, 0.60}, {128, 0.75, 0.66}} {
		times := max(100/target.goroutines, 5)
		values, err := interleave(ctx, b.rounds(100), inFlight(target.goroutines, times, send), inFlight(target.goroutines, times, sendTheirs))
		if err != nil {
			return err
		}
		b.add(row{
			name: fmt.Sprintf("JSON-RPC send ÷ go-ethereum's client, goroutines: %d", target.goroutines), other: "geth", unit: nanoseconds,
			least: target.least, want: target.want,
		}, paired(values[0], values[1]))
	}
	return nil
}

func sameHash(got, want common.Hash, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("sent %s, the answer is %s", want, got)
	}
	return err
}

// inFlight is the time for each of the calls that so many workers make, so often each.
func inFlight(workers, times int, do func(ctx context.Context, worker int) error) side {
	return func(ctx context.Context) (float64, error) {
		start := time.Now()
		err := together(ctx, workers, times, do)
		return float64(time.Since(start)) / float64(workers*times), err
	}
}
