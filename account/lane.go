package account

import (
	"context"
	"errors"
	"time"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/session"
)

// lane is a key of an account's nonces. It belongs to the pool while it is free, and to its reservation
// while it is not.
type lane struct {
	key uint256.Int
	// next is the next nonce, if it is known.
	next  uint256.Int
	known bool
	// until is when the lease of the key ends, zero for none.
	until time.Time
}

// newLane returns a lane; one that is to be leased has no key yet.
func (l *Lanes) newLane() *lane {
	if l.leaser != nil {
		return new(lane)
	}
	fresh := &lane{key: lanekey.New(), known: true}
	fresh.next.Lsh(&fresh.key, 64) // nobody has ever used it
	return fresh
}

// leased is how long the lease lasts still. Time in which the machine slept counts: the monotonic clock
// leaves it out.
func (l *lane) leased() time.Duration {
	now := time.Now()
	return min(l.until.Sub(now), l.until.Round(0).Sub(now.Round(0)))
}

// ensureLease leases the lane's key, or makes its lease last, for so long that the lane is not leased to
// somebody else before its next operation has landed or is given up.
func (p *lanePool) ensureLease(ctx context.Context, l *lane) error {
	leaser, patience := p.lanes.leaser, p.lanes.patience
	if leaser == nil || l.leased() > patience*3/2 {
		return nil
	}
	asked, ttl := time.Now(), 2*patience
	if !l.until.IsZero() {
		err := leaser.RenewLane(ctx, p.ref, l.key, p.lanes.holder, ttl)
		if err == nil {
			l.until = asked.Add(ttl)
		}
		if !errors.Is(err, session.ErrLaneLost) {
			return err
		}
	}
	key, err := leaser.LeaseLane(ctx, p.ref, p.lanes.holder, ttl)
	if err == nil {
		*l = lane{key: key, until: asked.Add(ttl)}
	}
	return err
}

// giveBack ends the lane's lease, if it has one.
func (p *lanePool) giveBack(ctx context.Context, l *lane) error {
	if l.until.IsZero() {
		return nil
	}
	err := p.lanes.leaser.ReleaseLane(ctx, p.ref, l.key, p.lanes.holder)
	if errors.Is(err, session.ErrLaneLost) {
		return nil
	}
	return err
}
