package account

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// feeChain is a [Chain] that can propose fees.
type feeChain interface {
	HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error)
	SuggestGasTipCap(ctx context.Context) (*big.Int, error)
	SuggestGasPrice(ctx context.Context) (*big.Int, error)
}

// feeSource proposes the fees of a service and, where that has none to offer, the node's. It remembers for a
// moment what was proposed.
type feeSource struct {
	service userop.FeeSource
	chain   feeChain
	maxAge  time.Duration
	last    atomic.Pointer[proposal]
}

type proposal struct {
	fees userop.Fees
	at   time.Time
}

// newFeeSource returns the source of the configuration and, without one, the bundler and the node.
func newFeeSource(cfg *Config) *feeSource {
	source := &feeSource{service: cfg.Fees, maxAge: cfg.Freshness}
	if source.service == nil {
		source.service, _ = cfg.Bundler.(userop.FeeSource)
		source.chain, _ = cfg.Chain.(feeChain)
	}
	return source
}

// Fees implements [userop.FeeSource].
func (f *feeSource) Fees(ctx context.Context) (fees userop.Fees, err error) {
	if last := f.last.Load(); last != nil && time.Since(last.at) < f.maxAge {
		return last.fees, nil
	}
	asked := time.Now()
	if f.service != nil {
		fees, err = f.service.Fees(ctx)
	} else {
		err = fmt.Errorf("%w: neither the bundler nor the chain reader proposes fees; give them with WithFees", userop.ErrNoFees)
	}
	if f.chain != nil && errors.Is(err, userop.ErrNoFees) {
		fees, err = f.nodeFees(ctx)
	}
	if err == nil {
		f.last.Store(&proposal{fees: fees, at: asked})
	}
	return fees, err
}

// nodeFees proposes twice the base fee plus the node's tip, which holds for six full blocks; on a chain
// without base fee, its gas price.
func (f *feeSource) nodeFees(ctx context.Context) (userop.Fees, error) {
	head, err := f.chain.HeaderByNumber(ctx, nil)
	if err != nil {
		return userop.Fees{}, fmt.Errorf("read the base fee: %w", withoutURL(err))
	}
	if head.BaseFee == nil {
		price, err := f.chain.SuggestGasPrice(ctx)
		if err != nil {
			return userop.Fees{}, fmt.Errorf("read the gas price: %w", withoutURL(err))
		}
		return feesFromBig(price, price)
	}
	tip, err := f.chain.SuggestGasTipCap(ctx)
	if err != nil {
		return userop.Fees{}, fmt.Errorf("read the gas tip: %w", withoutURL(err))
	}
	maxFee := new(big.Int).Lsh(head.BaseFee, 1)
	return feesFromBig(maxFee.Add(maxFee, tip), tip)
}

// feesFromBig are fees in wei per gas, as the node told them.
func feesFromBig(maxFee, tip *big.Int) (userop.Fees, error) {
	fee, over := uint256.FromBig(maxFee)
	priority, overTip := uint256.FromBig(tip)
	if over || overTip {
		return userop.Fees{}, fmt.Errorf("%w: the node proposes fees of %s and %s wei", ErrBadAnswer, maxFee, tip)
	}
	return userop.Fees{MaxFeePerGas: *fee, MaxPriorityFeePerGas: *priority}, nil
}
