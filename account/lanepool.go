package account

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// lanePool are the lanes of one account.
type lanePool struct {
	lanes *Lanes
	ref   session.Ref

	mu      sync.Mutex // guards what follows
	made    int        // lanes, free or not
	free    []*lane    // the last one is taken first: one in use already is cheaper than a fresh one
	onWay   []*reservation
	waiting []*turn // who waits for a lane, in order
	used    time.Time
	lookErr error // of the last look

	// looking has an element while one of those who wait looks what became of the operations on their way.
	looking chan struct{}
	// looked and pause, of who is looking, say when to look next.
	looked time.Time
	pause  time.Duration
}

// turn is a place in the queue for a lane.
type turn struct {
	ready chan struct{} // closed when lane is set
	lane  *lane
}

// How often the chain is looked at for free lanes.
const (
	firstLook = 100 * time.Millisecond
	lastLook  = 2 * time.Second
	// dropAfter is how long an operation is on its way before its bundler is asked whether it was dropped.
	dropAfter = 2 * time.Second
)

func newLanePool(lanes *Lanes, ref session.Ref) *lanePool {
	return &lanePool{lanes: lanes, ref: ref, used: time.Now(), pause: firstLook, looking: make(chan struct{}, 1)}
}

func (p *lanePool) unusedFor(now time.Time) time.Duration {
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

// take returns a lane that nobody has, and waits for one while all are in use.
func (p *lanePool) take(ctx context.Context) (*lane, error) {
	lane, turn := p.takeOrQueue()
	if lane != nil {
		return lane, nil
	}
	if err := p.await(ctx, turn); err != nil {
		p.leave(turn)
		return nil, err
	}
	return turn.lane, nil
}

// takeOrQueue returns a lane or a place in the queue.
func (p *lanePool) takeOrQueue() (*lane, *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = time.Now()
	if last := len(p.free) - 1; last >= 0 {
		lane := p.free[last]
		p.free = p.free[:last]
		return lane, nil
	}
	if p.made < p.lanes.size {
		p.made++
		return p.lanes.newLane(), nil
	}
	next := &turn{ready: make(chan struct{})}
	p.waiting = append(p.waiting, next)
	return nil, next
}

// leave gives up a place in the queue.
func (p *lanePool) leave(turn *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if turn.lane != nil { // it came at the last moment
		p.give(turn.lane)
		return
	}
	at := slices.Index(p.waiting, turn)
	p.waiting = slices.Delete(p.waiting, at, at+1)
}

// give hands the lane to who waits longest, or keeps it.
func (p *lanePool) give(lane *lane) {
	p.used = time.Now()
	if len(p.waiting) == 0 {
		p.free = append(p.free, lane)
		return
	}
	turn := p.waiting[0]
	p.waiting = p.waiting[1:]
	turn.lane = lane
	close(turn.ready)
}

// await waits for the turn. One of those who wait looks at the chain for all.
func (p *lanePool) await(ctx context.Context, turn *turn) error {
	for {
		select {
		case <-turn.ready:
			return nil
		case <-ctx.Done():
			return p.allInUse(ctx.Err())
		case <-p.lanes.closed:
			return errClosed
		case p.looking <- struct{}{}:
			p.lookOut(ctx, turn)
			<-p.looking
		}
	}
}

// allInUse is the error of a wait that ended without a lane.
func (p *lanePool) allInUse(why error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := fmt.Errorf("all %d are in use; wait for their operations, or make more lanes if the bundler takes more: %w", p.lanes.size, why)
	if p.lookErr != nil {
		err = fmt.Errorf("%w (last look at the chain: %w)", err, p.lookErr)
	}
	return err
}

// lookOut looks once, after the pause since the last look, and not at all if the wait is over before.
func (p *lanePool) lookOut(ctx context.Context, turn *turn) {
	timer := time.NewTimer(time.Until(p.looked.Add(p.pause)))
	defer timer.Stop()
	select {
	case <-turn.ready:
		return
	case <-ctx.Done():
		return
	case <-p.lanes.closed:
		return
	case <-timer.C:
	}
	freed, err := p.survey(ctx)
	p.looked, p.pause = time.Now(), min(p.pause*3/2, lastLook)
	if freed {
		p.pause = firstLook
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() == nil {
		p.lookErr = err
	}
}

// survey frees the lanes whose operations landed, will not land, or are given up. It reports whether there
// are any.
func (p *lanePool) survey(ctx context.Context) (freed bool, err error) {
	freed = p.giveUp()
	onWay := p.operations()
	probes := make([]probe, len(onWay))
	for i, r := range onWay {
		key := new(uint256.Int).Rsh(&r.nonce, 64)
		probes[i] = probe{to: p.lanes.client.contracts.EntryPoint, data: abi.GetNonce(p.ref.Account, *key)}
	}
	sights, err := look(ctx, p.lanes.client.chain, probes...)
	if err != nil {
		return freed, fmt.Errorf("nonces of %s: %w", p.ref, withoutURL(err))
	}
	for i, r := range onWay {
		var next uint256.Int
		if err := sights[i].decode("getNonce of the EntryPoint", into(&next, abi.DecodeUint256)); err != nil {
			return freed, err
		}
		if r.nonce.Lt(&next) {
			r.landed(&next)
			freed = true
		}
	}
	return freed || p.askBundler(ctx), nil
}

// operations returns the operations that are on their way.
func (p *lanePool) operations() []*reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.onWay)
}

// giveUp replaces the lanes of operations that nobody heard of for long.
func (p *lanePool) giveUp() (some bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range slices.Clone(p.onWay) {
		if time.Since(r.since) > p.lanes.patience {
			r.end()
			p.give(p.lanes.newLane())
			some = true
		}
	}
	return some
}

// askBundler asks whether an operation was dropped: one for each survey, each in its turn.
func (p *lanePool) askBundler(ctx context.Context) (dropped bool) {
	bundler, ok := p.lanes.client.bundler.(userop.DropReporter)
	r := p.askedLongestAgo()
	if !ok || r == nil {
		return false
	}
	dropped, err := bundler.UserOperationDropped(ctx, r.hash)
	if dropped = dropped && err == nil; dropped {
		r.Release(false)
	}
	return dropped
}

func (p *lanePool) askedLongestAgo() *reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.onWay) == 0 {
		return nil
	}
	r := slices.MinFunc(p.onWay, func(a, b *reservation) int { return a.asked.Compare(b.asked) })
	if time.Since(r.asked) < dropAfter {
		return nil
	}
	r.asked = time.Now()
	return r
}
