package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// lane is a key of an account's nonces. It belongs to the pool while it is free, and to its reservation while
// it is not.
type lane struct {
	key uint256.Int
	// next is the next nonce, if it is known; the chain has shown those before it to be used.
	next  uint256.Int
	known bool
	// leaseEnds is when the lease of the key ends, zero for none.
	leaseEnds time.Time
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

// leaseLeft is how long the lease lasts still. Time in which the machine slept counts: the monotonic clock
// leaves it out.
func (l *lane) leaseLeft() time.Duration {
	now := time.Now()
	return min(l.leaseEnds.Sub(now), l.leaseEnds.Round(0).Sub(now.Round(0)))
}

// ensureLease leases the lane's key, or makes its lease last, for so long that the lane is not leased to
// somebody else before its next operation has landed or is given up.
func (p *lanePool) ensureLease(ctx context.Context, l *lane) error {
	leaser, patience := p.lanes.leaser, p.lanes.patience
	if leaser == nil || l.leaseLeft() > patience*3/2 {
		return nil
	}
	asked, ttl := time.Now(), 2*patience
	if !l.leaseEnds.IsZero() {
		err := leaser.RenewLane(ctx, p.ref, l.key, p.lanes.holder, ttl)
		if err == nil {
			l.leaseEnds = asked.Add(ttl)
		}
		if !errors.Is(err, session.ErrLaneLost) {
			return err
		}
	}
	key, err := leaser.LeaseLane(ctx, p.ref, p.lanes.holder, ttl)
	if err == nil {
		*l = lane{key: key, leaseEnds: asked.Add(ttl)}
	}
	return err
}

// releaseLease ends the lane's lease, if it has one.
func (p *lanePool) releaseLease(ctx context.Context, l *lane) error {
	if l.leaseEnds.IsZero() {
		return nil
	}
	err := p.lanes.leaser.ReleaseLane(ctx, p.ref, l.key, p.lanes.holder)
	if errors.Is(err, session.ErrLaneLost) {
		return nil
	}
	return err
}

// reservation is one operation's use of a lane. It implements [userop.Reservation].
type reservation struct {
	pool  *lanePool
	lane  *lane
	nonce uint256.Int
	taken []uint256.Int // nonces that are others'
	// known says that the nonce was known without a look at the chain.
	known bool

	// The pool's lock guards what follows.
	hash        common.Hash // zero until committed
	until       uint64      // when the chain ends it, 0 where that is not known
	committedAt time.Time
	askedAt     time.Time // when the bundler was last asked about it, or else committedAt
	ended       bool
	passedOn    bool          // the lane is another operation's, or free; else the nonce stays its own
	doubt       *userop.Doubt // whether the bundler has it is open
}

// Nonce returns the lane's next nonce; it is read only where it is not known. A lane that the chain has
// counted back in a reorg becomes another one: what used the nonces may land again.
func (r *reservation) Nonce(ctx context.Context) (uint256.Int, error) {
	for range len(r.taken) {
		nonce, err := r.next(ctx)
		if err != nil || !slices.Contains(r.taken, nonce) {
			return nonce, err
		}
		*r.lane = *r.pool.lanes.newLane() // the lease, if there is one, runs out
	}
	return r.next(ctx)
}

func (r *reservation) next(ctx context.Context) (uint256.Int, error) {
	if err := r.held(); err != nil {
		return uint256.Int{}, err
	}
	l := r.lane
	if err := r.pool.ensureLease(ctx, l); err != nil {
		return uint256.Int{}, fmt.Errorf("lease a lane of %s: %w", r.pool.ref, err)
	}
	if r.known = l.known; !l.known {
		next, err := r.pool.lanes.client.Account(r.pool.ref.Account).nonce(ctx, &l.key)
		if err != nil {
			return uint256.Int{}, err
		}
		if next.Lt(&l.next) {
			*l = *r.pool.lanes.newLane()
			return r.Nonce(ctx)
		}
		l.next, l.known = next, true
	}
	r.nonce = l.next
	return r.nonce, nil
}

// forget has the nonce read the next time, and reports whether it was known before.
func (r *reservation) forget() bool {
	was := r.known
	r.known = false
	if was && r.held() == nil {
		r.lane.known = false
	}
	return was
}

// held returns an error if the lane is not the reservation's own any more: another took it while an operation
// that had been sent was made anew.
func (r *reservation) held() error {
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	if r.passedOn {
		return errPassedOn
	}
	return nil
}

var errPassedOn = fmt.Errorf("%w: another operation took it while this one was made anew; send it again", session.ErrLaneLost)

// Commit notes that the operation is in flight, unless the lane may be leased to somebody else before it has
// landed.
func (r *reservation) Commit(op *userop.Operation, hash common.Hash) error {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.passedOn {
		return errPassedOn
	}
	if left := r.lane.leaseLeft(); p.lanes.leaser != nil && left < p.lanes.patience {
		return fmt.Errorf("%w: the lease of lane %s ends in %s, making the operation took too long; send it again", session.ErrLaneLost, r.lane.key.Hex(), left.Round(time.Millisecond))
	}
	until := p.lanes.client.contracts.operationEnd(op)
	if again := r.hash != (common.Hash{}); again && (r.until == 0 || until != 0 && r.until > until) {
		until = r.until // the operation before may land as well
	}
	r.hash, r.until, r.committedAt = hash, until, time.Now()
	r.askedAt = r.committedAt
	if !r.ended && !slices.Contains(p.inFlight, r) {
		p.inFlight = append(p.inFlight, r)
	}
	if p.retired && r.finish() {
		p.busy(-1)
	}
	return nil
}

// Release frees the lane. The nonce of one whose operation did not make it is read again, and the lane comes
// after the others: the fault may lie with it.
func (r *reservation) Release(used bool) {
	if used {
		r.landed(new(uint256.Int).AddUint64(&r.nonce, 1))
		return
	}
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if !r.finish() {
		return
	}
	r.passedOn = true
	r.lane.known = false
	if len(p.waiting) > 0 {
		p.give(r.lane)
	} else {
		p.free = slices.Insert(p.free, 0, r.lane)
		p.busy(-1)
	}
}

// Doubt notes that it is open whether the bundler has the operation: whoever needs a lane next gets another
// one in place of its lane, and sends it again.
func (r *reservation) Doubt(in userop.Doubt) {
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	switch {
	case !r.ended:
		r.doubt = &in
	case !r.passedOn: // its lane was given up before
		r.pool.keepDoubt(&doubt{Doubt: in, since: time.Now()})
	}
}

// Doubts returns the operations whose lanes were given up while they were in doubt. One that still is after
// it was sent again is for the next caller.
func (r *reservation) Doubts() []userop.Doubt {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	given := p.doubts
	if p.doubts = nil; len(given) == 0 {
		return nil
	}
	doubts := make([]userop.Doubt, len(given))
	for i, d := range given {
		doubts[i] = d.Doubt
		doubts[i].Settled = func(err error) {
			if err == nil || !userop.MayBeAccepted(err) {
				return
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.keepDoubt(d)
		}
	}
	return doubts
}

// landed frees the lane, whose next nonce the chain tells.
func (r *reservation) landed(next *uint256.Int) {
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	if r.finish() {
		r.passedOn = true
		r.lane.next, r.lane.known = *next, true
		r.pool.give(r.lane)
	}
}

// finish ends the reservation, and reports whether the lane was its own until now.
func (r *reservation) finish() bool {
	was := !r.ended
	r.ended = true
	r.pool.inFlight = slices.DeleteFunc(r.pool.inFlight, func(other *reservation) bool { return other == r })
	return was
}
