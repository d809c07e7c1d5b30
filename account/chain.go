package account

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/node"
)

// Chain is what a client reads of its chain; *ethclient.Client is one. One that can also propose fees
// (HeaderByNumber, SuggestGasTipCap and SuggestGasPrice, as *ethclient.Client does) is asked for them where
// the bundler has no gas price of its own, and their fees bound what the bundler proposes: without them the
// client's Caps have to. One that tells of new blocks by itself ([userop.HeadSubscriber], as
// *ethclient.Client over a websocket does) is listened to by waits. A wrapper around one that can says what
// it wraps by a method Unwrap() Chain.
type Chain interface {
	ChainID(ctx context.Context) (*big.Int, error)
	CodeAt(ctx context.Context, account common.Address, block *big.Int) ([]byte, error)
	CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error)
	// BlockNumber and FilterLogs are what operations are confirmed with: what a bundler says became of one is
	// not taken for what the chain shows. Logs are asked for by the numbers of blocks, at most a thousand at
	// once.
	BlockNumber(ctx context.Context) (uint64, error)
	FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error)
}

// callMsg is a call of a contract by nobody.
func callMsg(to common.Address, data []byte) ethereum.CallMsg {
	return ethereum.CallMsg{To: &to, Data: data}
}

// decodeResult reads the answer of the function. An error matches [ErrBadAnswer], and is the revert where the
// call reverted.
func decodeResult(r *contracts.ReadResult, function string, read func([]byte) error) error {
	if !r.OK {
		revert := contracts.DecodeRevert(r.Data)
		return fmt.Errorf("%w: %s reverted: %w", ErrBadAnswer, function, &revert)
	}
	if err := read(r.Data); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBadAnswer, function, err)
	}
	return nil
}

// into returns a reader that keeps what it decoded in dst.
func into[T any](dst *T, decode func([]byte) (T, error)) func([]byte) error {
	return func(answer []byte) (err error) {
		*dst, err = decode(answer)
		return err
	}
}

// batchRead makes the reads, in their order and in one request, as of a block, the newest one for nil; in
// several requests only where their data is too much for one. The error is the node's or the network's: a
// call that reverts is part of the result.
func batchRead(ctx context.Context, chain Chain, block *big.Int, reads ...contracts.Read) ([]contracts.ReadResult, error) {
	all := make([]contracts.ReadResult, 0, len(reads))
	for len(reads) > 0 {
		request, n := contracts.PackReads(reads)
		var response []byte
		var err error
		for t := node.Ask(ctx); t.Next(&err); {
			response, err = chain.CallContract(t.Context, ethereum.CallMsg{Data: request}, block)
		}
		if err != nil {
			return nil, err
		}
		results, err := contracts.UnpackReadResults(response, n)
		if err != nil {
			return nil, fmt.Errorf("%w: batched read: %w", ErrBadAnswer, err)
		}
		all, reads = append(all, results...), reads[n:]
	}
	return all, nil
}

// revertOf returns what a call reverted with, if the error is a node's answer that it did.
func revertOf(err error) (abi.Revert, bool) {
	var withData interface{ ErrorData() any }
	if errors.As(err, &withData) {
		if text, ok := withData.ErrorData().(string); ok {
			data, err := hexutil.Decode(strings.TrimPrefix(text, "Reverted "))
			if err == nil {
				return contracts.DecodeRevert(data), true
			}
		}
	}
	// A node's words for a revert without data differ; a URL or a host is no such word.
	if failed, ok := errors.AsType[*node.Error](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return abi.Revert{}, strings.Contains(strings.ToLower(err.Error()), "revert")
}
