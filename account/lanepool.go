package account

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// lanePool are the lanes of one account.
type lanePool struct {
	lanes *Lanes
	ref   session.Ref

	mu       sync.Mutex // guards what follows
	made     int        // lanes, free or not
	free     []*lane    // the last one is taken first: one in use already is cheaper than a fresh one
	inFlight []*reservation
	waiting  []*waiter // in order
	doubts   []*doubt  // operations to be sent again, whose lanes were given up
	used     time.Time
	pollErr  error // of the last poll
	retired  bool  // nobody will ask again what became of its operations

	// polling has an element while one of the waiters polls what became of the operations in flight.
	polling chan struct{}
	// polledAt and pollPause belong to the waiter that polls; they say when to poll next.
	polledAt  time.Time
	pollPause time.Duration
}

// waiter is a place in the queue for a lane.
type waiter struct {
	ready chan struct{} // closed when lane is set
	lane  *lane
}

// How often the chain is polled for free lanes.
const (
	minPollPause = 100 * time.Millisecond
	maxPollPause = 2 * time.Second
	// askDroppedAfter is how long an operation is in flight before its bundler is asked whether it was
	// dropped.
	askDroppedAfter = 2 * time.Second
)

func newLanePool(lanes *Lanes, ref session.Ref) *lanePool {
	return &lanePool{lanes: lanes, ref: ref, used: time.Now(), pollPause: minPollPause, polling: make(chan struct{}, 1)}
}

func (p *lanePool) idleFor(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Sub(p.used)
}

// drain returns the free lanes and has none any more.
func (p *lanePool) drain() []*lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.free
	p.free = nil
	return free
}

// take returns a lane that nobody has, and waits for one while all are in use. One of those who wait polls
// for all, the chain first and then the bundler.
func (p *lanePool) take(ctx context.Context) (*lane, error) {
	lane, queued := p.takeOrQueue()
	for lane == nil {
		polls, err := p.await(ctx, queued)
		switch {
		case err != nil:
			p.leaveQueue(queued)
			return nil, err
		case !polls:
			return queued.lane, nil
		}
		freed, err := p.poll(ctx)
		freed = freed || p.replaceDoubt()
		if bundler, silent := p.nextToAsk(freed || err != nil); silent != nil {
			dropped, unanswered := bundler.UserOperationDropped(ctx, silent.hash)
			if freed = dropped && unanswered == nil; freed {
				silent.replace()
			}
		}
		p.notePoll(ctx, freed, err)
		<-p.polling
	}
	return lane, nil
}

// takeOrQueue returns a lane or a place in the queue.
func (p *lanePool) takeOrQueue() (*lane, *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = time.Now()
	if last := len(p.free) - 1; last >= 0 {
		lane := p.free[last]
		p.free = p.free[:last]
		p.busy(1)
		return lane, nil
	}
	if p.made < p.lanes.size {
		p.made++
		p.busy(1)
		return p.lanes.newLane(), nil
	}
	next := &waiter{ready: make(chan struct{})}
	p.waiting = append(p.waiting, next)
	return nil, next
}

// leaveQueue gives up a place in the queue.
func (p *lanePool) leaveQueue(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.lane != nil { // it came at the last moment
		p.give(w.lane)
		return
	}
	at := slices.Index(p.waiting, w)
	p.waiting = slices.Delete(p.waiting, at, at+1)
}

// give hands the lane to the waiter that waits longest, or keeps it.
func (p *lanePool) give(lane *lane) {
	p.used = time.Now()
	if len(p.waiting) == 0 {
		p.free = append(p.free, lane)
		p.busy(-1)
		return
	}
	first := p.waiting[0]
	p.waiting = p.waiting[1:]
	first.lane = lane
	close(first.ready)
}

// busy tells that so many more lanes are somebody's, or fewer.
func (p *lanePool) busy(more int64) { p.lanes.client.observer.LanesBusy(more) }

// retire ends the pool, which nobody will ask again what became of its operations.
func (p *lanePool) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	for _, r := range slices.Clone(p.inFlight) {
		if r.finish() {
			p.busy(-1)
		}
	}
}

// await waits until the waiter has its lane, or until a poll is due and the waiter is the one that polls.
func (p *lanePool) await(ctx context.Context, w *waiter) (polls bool, err error) {
	for {
		select {
		case <-w.ready:
			return false, nil
		case <-ctx.Done():
			return false, p.allInUseError(ctx.Err())
		case <-p.lanes.closed:
			return false, errMakeNewLanes
		case p.polling <- struct{}{}:
			if p.pauseBetweenPolls(ctx, w) {
				return true, nil
			}
			<-p.polling
		}
	}
}

// allInUseError is the error of a wait that ended without a lane.
func (p *lanePool) allInUseError(why error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := fmt.Errorf("all %d are in use; wait for their operations, or make more lanes if the bundler takes more: %w", p.lanes.size, why)
	if p.pollErr != nil {
		err = fmt.Errorf("%w (last look at the chain: %w)", err, p.pollErr)
	}
	return err
}

// pauseBetweenPolls waits until the next poll is due; false if the wait for a lane is over before.
func (p *lanePool) pauseBetweenPolls(ctx context.Context, w *waiter) bool {
	timer := time.NewTimer(time.Until(p.polledAt.Add(p.pollPause)))
	defer timer.Stop()
	select {
	case <-w.ready:
		return false
	case <-ctx.Done():
		return false
	case <-p.lanes.closed:
		return false
	case <-timer.C:
		return true
	}
}

// notePoll keeps what the next poll and an error of the wait depend on.
func (p *lanePool) notePoll(ctx context.Context, freed bool, err error) {
	p.polledAt, p.pollPause = time.Now(), min(p.pollPause*3/2, maxPollPause)
	if freed {
		p.pollPause = minPollPause
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() == nil {
		p.pollErr = err
	}
}

// poll frees the lanes whose operations landed, will not land, or were in flight for too long. It reports
// whether there are any.
func (p *lanePool) poll(ctx context.Context) (freed bool, err error) {
	freed = p.expire()
	inFlight := p.snapshot()
	reads := make([]contracts.Read, len(inFlight))
	for i, r := range inFlight {
		key := new(uint256.Int).Rsh(&r.nonce, 64)
		reads[i] = contracts.Read{To: p.lanes.client.contracts.EntryPoint, Data: contracts.GetNonce(p.ref.Account, *key)}
	}
	results, err := batchRead(ctx, p.lanes.client.chain, nil, reads...)
	if err != nil {
		return freed, fmt.Errorf("nonces of %s: %w", p.ref, err)
	}
	now, err := p.confirmedTime(ctx, inFlight, results)
	for i, r := range inFlight {
		var next uint256.Int
		if err := decodeResult(&results[i], "getNonce of the EntryPoint", into(&next, contracts.DecodeUint256)); err != nil {
			return freed, err
		}
		if r.nonce.Lt(&next) {
			r.landed(&next)
			freed = true
		} else if r.until != 0 && r.until < now {
			r.Release(false)
			freed = true
		}
	}
	return freed, err
}

// confirmedTime is the chain's time by which operations have ended, 0 where none of those in flight can have:
// that of the newest block, or of one that has the client's confirmations. A block that may be lost ends
// nothing: the next one in its place may have an earlier time.
func (p *lanePool) confirmedTime(ctx context.Context, inFlight []*reservation, results []contracts.ReadResult) (uint64, error) {
	client, newest := p.lanes.client, uint64(0)
	for i := range results {
		newest = max(newest, results[i].BlockTime)
	}
	over := slices.ContainsFunc(inFlight, func(r *reservation) bool { return r.until != 0 && r.until < newest })
	if !over || client.confirmations == 1 {
		return newest, nil
	}
	block, err := client.confirmedBlock(ctx)
	if err != nil {
		return 0, fmt.Errorf("lanes of %s: %w", p.ref, err)
	}
	results, err = batchRead(ctx, client.chain, block, contracts.Read{To: client.contracts.EntryPoint, Data: contracts.GetNonce(p.ref.Account, uint256.Int{})})
	if err != nil {
		return 0, fmt.Errorf("time of block %s: %w", block, err)
	}
	return results[0].BlockTime, nil
}

// snapshot returns the operations in flight, as of now.
func (p *lanePool) snapshot() []*reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.inFlight)
}

// expire replaces the lanes of operations that nobody heard of for long.
func (p *lanePool) expire() (some bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range slices.Clone(p.inFlight) {
		if time.Since(r.committedAt) > p.lanes.patience && r.finish() {
			p.give(p.lanes.newLane())
			some = true
		}
	}
	return some
}

// replaceDoubt gives up, for a new one, the lane of an operation that is in doubt, and keeps the operation to
// be sent again. It reports whether there is one.
func (p *lanePool) replaceDoubt() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.inFlight {
		if r.doubt != nil && r.finish() {
			p.keepDoubt(&doubt{Doubt: *r.doubt, since: time.Now()})
			p.give(p.lanes.newLane())
			return true
		}
	}
	return false
}

// mostDoubts is how many operations in doubt an account's lanes remember.
const mostDoubts = 64

// keepDoubt keeps an operation to be sent again, as long as that makes sense.
func (p *lanePool) keepDoubt(d *doubt) {
	if time.Since(d.since) > forgottenAfter {
		return
	}
	if p.doubts = append(p.doubts, d); len(p.doubts) > mostDoubts {
		p.doubts = p.doubts[1:]
	}
}

// replace gives the lane up for a new one: the bundler says that it dropped the operation, which may land all
// the same, so that its nonce stays its own.
func (r *reservation) replace() {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.finish() {
		p.give(p.lanes.newLane())
	}
}

// nextToAsk returns the operation that the bundler was asked about longest ago, to ask whether it was
// dropped: one for each poll, each in its turn. It is nil while that is not long ago, and where the poll had
// a result or the bundler cannot tell.
func (p *lanePool) nextToAsk(settled bool) (userop.DropReporter, *reservation) {
	bundler, ok := ability.Find[userop.DropReporter](p.lanes.client.bundler)
	p.mu.Lock()
	defer p.mu.Unlock()
	if settled || !ok || len(p.inFlight) == 0 {
		return nil, nil
	}
	r := slices.MinFunc(p.inFlight, func(a, b *reservation) int { return a.askedAt.Compare(b.askedAt) })
	if time.Since(r.askedAt) < askDroppedAfter {
		return nil, nil
	}
	r.askedAt = time.Now()
	return bundler, r
}
