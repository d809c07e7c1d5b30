package accounttest

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/userop"
)

// simulator tries calls of the EntryPoint on the chain's newest state, at the time of its next block.
type simulator struct {
	chain      *Chain
	entryPoint common.Address
}

// callArgs are the call of eth_call and debug_traceCall.
type callArgs struct {
	To   common.Address `json:"to"`
	Data hexutil.Bytes  `json:"data"`
	Gas  hexutil.Uint64 `json:"gas"`
}

type blockOverrides struct {
	Time hexutil.Uint64 `json:"time"`
}

func (s *simulator) args(ctx context.Context, data []byte, gas uint64) (callArgs, blockOverrides, error) {
	next, err := s.chain.NextTime(ctx)
	if err != nil {
		return callArgs{}, blockOverrides{}, err
	}
	return callArgs{To: s.entryPoint, Data: data, Gas: hexutil.Uint64(gas)}, blockOverrides{Time: hexutil.Uint64(next.Unix())}, nil
}

// call calls the EntryPoint. It returns the revert data, and whether the call reverted at all.
func (s *simulator) call(ctx context.Context, data []byte, gas uint64) (revert []byte, reverted bool, err error) {
	call, block, err := s.args(ctx, data, gas)
	if err != nil {
		return nil, false, err
	}
	var result hexutil.Bytes
	err = s.chain.rpcClient().CallContext(ctx, &result, "eth_call", call, "latest", userop.StateOverride{}, block)
	if err == nil {
		return nil, false, nil
	}
	var withData rpc.DataError
	if text, ok := "", false; errors.As(err, &withData) {
		if text, ok = withData.ErrorData().(string); ok {
			revert, err := hexutil.Decode(text)
			return revert, true, err
		}
	}
	return nil, false, fmt.Errorf("simulate on chain: %w", err)
}

// trace calls the EntryPoint and returns the calls that this makes, and those that these do.
func (s *simulator) trace(ctx context.Context, data []byte, gas uint64, overrides userop.StateOverride) (node.Frame, error) {
	call, block, err := s.args(ctx, data, gas)
	if err != nil {
		return node.Frame{}, err
	}
	config := struct {
		Tracer         string               `json:"tracer"`
		Timeout        string               `json:"timeout"`
		StateOverrides userop.StateOverride `json:"stateOverrides,omitempty"`
		BlockOverrides blockOverrides       `json:"blockOverrides"`
	}{node.OuterCalls, "1m", overrides, block}
	var top node.Frame
	if err := s.chain.rpcClient().CallContext(ctx, &top, "debug_traceCall", call, "latest", config); err != nil {
		return node.Frame{}, fmt.Errorf("trace on chain: %w", err)
	}
	return top, nil
}
