package account

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-sesame/sesame/userop"
)

// feeCache remembers for a moment what fees its source proposed.
type feeCache struct {
	source userop.FeeSource
	maxAge time.Duration
	last   atomic.Pointer[proposal]
}

type proposal struct {
	fees userop.Fees
	at   time.Time
}

// Fees implements [userop.FeeSource].
func (c *feeCache) Fees(ctx context.Context) (userop.Fees, error) {
	if last := c.last.Load(); last != nil && time.Since(last.at) < c.maxAge {
		return last.fees, nil
	}
	asked := time.Now()
	fees, err := c.source.Fees(ctx)
	if err == nil {
		c.last.Store(&proposal{fees: fees, at: asked})
	}
	return fees, err
}
