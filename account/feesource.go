package account

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/userop"
)

// feeSource proposes the fees of a service and, where that has none to offer, the node's. It remembers for a
// moment what was proposed.
type feeSource struct {
	service userop.FeeSource
	// chain proposes the node's fees, nil where it cannot; they stand in for the service's if fallsBack.
	chain     feeChain
	fallsBack bool
	tips      tipSource // the bundler's tip beside the node's base fee, nil where it names none
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
		source.tips, _ = ability.Find[tipSource](cfg.Bundler)
	}
	source.chain, _ = ability.Find[feeChain](cfg.Chain)
	return source
}

// noFees is the service of a bundler that proposes none.
type noFees struct{}

// Fees implements [userop.FeeSource].
func (noFees) Fees(context.Context) (userop.Fees, error) {
	return userop.Fees{}, userop.ErrNoFees
}

// Fees implements [userop.FeeSource].
func (f *feeSource) Fees(ctx context.Context) (userop.Fees, error) {
	if last := f.fresh(&f.last); last != nil {
		return last.fees, nil
	}
	asked := time.Now()
	fees, err := f.service.Fees(ctx)
	if f.standsIn(err) {
		fees, err = f.standIn(ctx, f.node)
	}
	return f.keep(asked, fees, err)
}

// standsIn reports whether the node's fees stand in for those of a service that failed so.
func (f *feeSource) standsIn(err error) bool {
	return f.fallsBack && f.chain != nil && errors.Is(err, userop.ErrNoFees)
}

// keep remembers what was proposed.
func (f *feeSource) keep(asked time.Time, fees userop.Fees, err error) (userop.Fees, error) {
	switch {
	case err == nil:
		f.last.Store(&proposal{fees: fees, at: asked})
	case f.fallsBack && f.chain == nil && errors.Is(err, userop.ErrNoFees):
		err = fmt.Errorf("%w: neither the bundler nor the chain reader proposes fees; give them with WithFees, or have a wrapper around one that does say what it wraps, by a method Unwrap() userop.Bundler or Unwrap() account.Chain", err)
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

// Forget forgets what was proposed: a price that was good a moment ago was refused, perhaps.
func (f *feeSource) Forget() {
	f.last.Store(nil)
	f.lastNode.Store(nil)
}

// forgetBefore is Forget, and reports whether what was proposed by then was remembered.
func (f *feeSource) forgetBefore(when time.Time) bool {
	last := f.last.Load()
	f.Forget()
	return last != nil && last.at.Before(when)
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

// standIn are the node's fees, which node reads, with the bundler's tip where it names one.
func (f *feeSource) standIn(ctx context.Context, node func(context.Context) (userop.Fees, error)) (userop.Fees, error) {
	if f.tips == nil {
		return node(ctx)
	}
	var (
		tip   uint256.Int
		noTip error
		group errgroup.Group
	)
	group.Go(func() error {
		tip, noTip = f.tips.MaxPriorityFeePerGas(ctx)
		return nil
	})
	fees, err := node(ctx)
	_ = group.Wait() // never fails: the node has a tip as well
	if err != nil || noTip != nil {
		return fees, err
	}
	return withTip(fees, &tip), nil
}
