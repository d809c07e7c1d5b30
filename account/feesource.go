package account

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-sesame/sesame/userop"
)

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
