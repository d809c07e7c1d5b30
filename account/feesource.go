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
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/ability"
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
	// chain proposes the node's fees, nil where it cannot; they stand in for the service's if fallsBack.
	chain     feeChain
	fallsBack bool
	maxAge    time.Duration
	last      atomic.Pointer[proposal]
	lastNode  atomic.Pointer[proposal] // the node's own
}

type proposal struct {
	fees userop.Fees
	at   time.Time
}

// newFeeSource returns the source of the configuration and, without one, the bundler and the node.
func newFeeSource(cfg *Config) *feeSource {
	source := &feeSource{service: cfg.Fees, maxAge: cfg.Freshness, fallsBack: cfg.Fees == nil}
	if source.fallsBack {
		var ok bool
		if source.service, ok = ability.Find[userop.FeeSource](cfg.Bundler); !ok {
			source.service = noFees{}
		}
	}
	source.chain, _ = ability.Find[feeChain](cfg.Chain)
	return source
}

// noFees is the service of a bundler that proposes none.
type noFees struct{}

// Fees implements [userop.FeeSource].
func (noFees) Fees(context.Context) (userop.Fees, error) {
	return userop.Fees{}, fmt.Errorf("%w: neither the bundler nor the chain reader proposes fees; give them with WithFees", userop.ErrNoFees)
}

// Fees implements [userop.FeeSource].
func (f *feeSource) Fees(ctx context.Context) (userop.Fees, error) {
	if last := f.fresh(&f.last); last != nil {
		return last.fees, nil
	}
	asked := time.Now()
	fees, err := f.service.Fees(ctx)
	if f.standsIn(err) {
		fees, err = f.node(ctx)
	}
	return f.keep(asked, fees, err)
}

// standsIn reports whether the node's fees stand in for those of a service that failed so.
func (f *feeSource) standsIn(err error) bool {
	return f.fallsBack && f.chain != nil && errors.Is(err, userop.ErrNoFees)
}

// keep remembers what was proposed.
func (f *feeSource) keep(asked time.Time, fees userop.Fees, err error) (userop.Fees, error) {
	if err == nil {
		f.last.Store(&proposal{fees: fees, at: asked})
	}
	return fees, err
}

// fresh returns what was proposed lately, nil for nothing.
func (f *feeSource) fresh(last *atomic.Pointer[proposal]) *proposal {
	if p := last.Load(); p != nil && time.Since(p.at) < f.maxAge {
		return p
	}
	return nil
}

// node proposes the node's fees, whatever a service proposes.
func (f *feeSource) node(ctx context.Context) (fees userop.Fees, err error) {
	if last := f.fresh(&f.lastNode); last != nil {
		return last.fees, nil
	}
	if f.chain == nil {
		return fees, fmt.Errorf("%w: the chain reader proposes no fees", userop.ErrNoFees)
	}
	asked := time.Now()
	if fees, err = f.nodeFees(ctx); err == nil {
		f.lastNode.Store(&proposal{fees: fees, at: asked})
	}
	return fees, err
}

// nodeFees proposes twice the base fee plus the node's tip, which holds for six full blocks; on a chain
// without base fee, its gas price.
func (f *feeSource) nodeFees(ctx context.Context) (userop.Fees, error) {
	var tip *big.Int
	var group errgroup.Group
	group.Go(func() (err error) { // beside the header: one round trip for both
		tip, err = f.chain.SuggestGasTipCap(ctx)
		return err
	})
	head, err := f.chain.HeaderByNumber(ctx, nil)
	tipErr := group.Wait()
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
	if tipErr != nil {
		return userop.Fees{}, fmt.Errorf("read the gas tip: %w", withoutURL(tipErr))
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
