package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/session"
)

// reservation is one operation's use of a lane. It implements [userop.Reservation].
type reservation struct {
	pool  *lanePool
	lane  *lane
	nonce uint256.Int

	// The pool's lock guards what follows.
	hash  common.Hash // zero until committed
	since time.Time   // when it was committed
	asked time.Time   // when the bundler was last asked about it, or else since
	ended bool
}

// Nonce returns the lane's next nonce; it is read only where it is not known.
func (r *reservation) Nonce(ctx context.Context) (uint256.Int, error) {
	l := r.lane
	if err := r.pool.ensureLease(ctx, l); err != nil {
		return uint256.Int{}, fmt.Errorf("lease a lane of %s: %w", r.pool.ref, err)
	}
	if !l.known {
		next, err := r.pool.lanes.client.Nonce(ctx, r.pool.ref.Account, &l.key)
		if err != nil {
			return uint256.Int{}, err
		}
		l.next, l.known = next, true
	}
	r.nonce = l.next
	return r.nonce, nil
}

// Commit notes that the operation is on its way, unless the lane may be leased to somebody else before it
// has landed.
func (r *reservation) Commit(hash common.Hash) error {
	p := r.pool
	if left := r.lane.leased(); p.lanes.leaser != nil && left < p.lanes.patience {
		return fmt.Errorf("%w: the lease of lane %s ends in %s, making the operation took too long; send it again", session.ErrLaneLost, r.lane.key.Hex(), left.Round(time.Millisecond))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.hash, r.since = hash, time.Now()
	r.asked = r.since
	p.onWay = append(p.onWay, r)
	return nil
}

// Release frees the lane. The nonce of one whose operation did not make it is read again, and the lane
// comes after the others: the fault may lie with it.
func (r *reservation) Release(used bool) {
	if used {
		r.landed(new(uint256.Int).AddUint64(&r.nonce, 1))
		return
	}
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if !r.end() {
		return
	}
	r.lane.known = false
	if len(p.waiting) > 0 {
		p.give(r.lane)
	} else {
		p.free = slices.Insert(p.free, 0, r.lane)
	}
}

// landed frees the lane, whose next nonce the chain tells.
func (r *reservation) landed(next *uint256.Int) {
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	if r.end() {
		r.lane.next, r.lane.known = *next, true
		r.pool.give(r.lane)
	}
}

// end reports whether the lane was the reservation's until now.
func (r *reservation) end() bool {
	was := !r.ended
	r.ended = true
	r.pool.onWay = slices.DeleteFunc(r.pool.onWay, func(other *reservation) bool { return other == r })
	return was
}
