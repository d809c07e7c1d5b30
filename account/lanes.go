package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// LanesConfig makes [Lanes]. The zero value is a good one for a single process.
type LanesConfig struct {
	// Size is how many operations of one account may be in flight at once; more wait for their turn. It is 4
	// by default, what ERC-7562 has bundlers take of an account; some take more, Alto 10. Processes that send
	// for one account share what the bundler takes.
	Size int
	// Patience is how long an operation that nobody hears of keeps its lane, 5 minutes by default. After it
	// the lane is given up for a new one; the operation may still land.
	Patience time.Duration
	// Leaser leases the lanes, so that several processes can send for one account and a process that starts
	// again finds the lanes it had: a first operation in a new lane costs 17,100 gas more than a later one.
	// Without it the lanes are made at random and forgotten with the process. The session stores in memory,
	// in a file and in PostgreSQL are leasers.
	Leaser session.LaneLeaser
}

// Lanes let a client send several operations for one account at once, with [InLane]. The EntryPoint counts
// nonces in independent lanes. A lane has one operation at a time, since bundlers refuse a second one before
// the first is included. It is free again when
//
//   - sending failed, and the operation was surely not accepted;
//   - [userop.Pending.Wait] saw how the chain ended the operation;
//   - nobody waited, a later operation needs a lane, and the EntryPoint has counted on, or the operation's
//     window is over by the time of a block that has [Config].Confirmations.
//
// The newest block is enough for the EntryPoint to have counted on: what comes next in the lane lands after
// what a reorg takes out of the chain, or not at all, and never has its nonce. A lane that was counted back
// is given up for a new one.
//
// Where the bundler says that it dropped the operation, a new lane takes the place of its lane: the operation
// may land all the same, and its nonce stays its own. So it is where sending failed and left open whether the
// operation was accepted, or it was waited for in vain, once another needs a lane that the chain does not
// show to be free: that one sends the same bytes again first.
//
// Operations in lanes land in any order: what has to come after another is sent when that was waited for. One
// that was dropped, or that nobody knows of, is best sent again with [WithNonce] and its own nonce, if only
// one of the two may ever land: InLane may take another lane. An account that is still to be deployed gets
// its first operation alone.
//
// Lanes start no goroutine, are safe for concurrent use, and forget accounts that were not used lately.
type Lanes struct {
	client   *Client
	size     int
	patience time.Duration
	leaser   session.LaneLeaser
	holder   string        // whose leases they are
	closed   chan struct{} // closed by Close

	mu    sync.Mutex // guards what follows
	pools map[common.Address]*lanePool
	swept time.Time
}

// NewLanes returns lanes for operations of the client's accounts. They are to be closed.
func (c *Client) NewLanes(cfg LanesConfig) *Lanes {
	if cfg.Size <= 0 {
		cfg.Size = 4
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Minute
	}
	id := lanekey.New() // as good a random name as any
	return &Lanes{
		client:   c,
		size:     cfg.Size,
		patience: cfg.Patience,
		leaser:   cfg.Leaser,
		holder:   id.Hex(),
		closed:   make(chan struct{}),
		pools:    make(map[common.Address]*lanePool),
		swept:    time.Now(),
	}
}

var errMakeNewLanes = fmt.Errorf("%w; make others with NewLanes", ErrLanesClosed)

// Close ends the lanes: whoever waits for one, or asks later, gets an error matching [ErrLanesClosed]. Leases
// of free lanes are given back; those of lanes with an operation in flight run out.
func (l *Lanes) Close(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(8)
	for _, pool := range l.closePools() {
		pool.retire()
		for _, lane := range pool.drain() {
			group.Go(func() error { return pool.releaseLease(ctx, lane) })
		}
	}
	return group.Wait()
}

// closePools closes the lanes and returns the pools there were, none the second time.
func (l *Lanes) closePools() map[common.Address]*lanePool {
	l.mu.Lock()
	defer l.mu.Unlock()
	pools := l.pools
	if pools != nil {
		close(l.closed)
	}
	l.pools = nil
	return pools
}

// reserver is a draft's Reserve: it waits for a free lane of the account, whose next nonce is none of those
// taken.
func (l *Lanes) reserver(c *Client, account common.Address, taken []uint256.Int) func(context.Context) (userop.Reservation, error) {
	return func(ctx context.Context) (userop.Reservation, error) {
		if l.client != c {
			return nil, fmt.Errorf("%w: InLane with the lanes of another client", ErrConfig)
		}
		pool, err := l.pool(account)
		if err != nil {
			return nil, err
		}
		within, waiting := c.observer.Begin(ctx, observe.Lane, observe.About{Account: account})
		defer waiting.Left(within)
		lane, err := pool.take(within)
		if waiting.End(within, observe.Result{Err: err}); err != nil {
			return nil, fmt.Errorf("lane of account %s: %w", account, err)
		}
		return &reservation{pool: pool, lane: lane, taken: taken}, nil
	}
}

// pool returns the lanes of an account, new ones where there are none.
func (l *Lanes) pool(account common.Address) (*lanePool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pools == nil {
		return nil, errMakeNewLanes
	}
	l.sweep()
	pool, ok := l.pools[account]
	if !ok {
		pool = newLanePool(l, session.Ref{ChainID: l.client.chainID, Account: account})
		l.pools[account] = pool
	}
	return pool, nil
}

// sweep forgets accounts that were not used lately. Whoever holds a lane of one keeps it; the account's next
// operation goes into other lanes.
func (l *Lanes) sweep() {
	now := time.Now()
	if now.Sub(l.swept) < l.patience {
		return
	}
	l.swept = now
	for account, pool := range l.pools {
		if pool.idleFor(now) > l.patience {
			pool.retire()
			delete(l.pools, account)
		}
	}
}
