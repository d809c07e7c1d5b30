package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Report is how a send with a key ended; see [Config].Report.
type Report struct {
	Ref session.Ref
	// Key is that of [Once].
	Key string
	// Hash is the userOpHash of the operation that was included or, where none was, of the last one signed.
	Hash common.Hash
	// Receipt is that of the operation that was included, nil where none was. It has no logs.
	Receipt *userop.Receipt
	// Err is nil for an operation whose calls succeeded, a [*userop.RevertError] for one whose calls
	// reverted, and a [*userop.EndedError] where the chain shows that none will ever be included.
	Err error
}

const (
	// runAtOnce is how many sends one process resends or reports at once, mostWatched how many it waits for
	// beside that: those take no goroutine each.
	runAtOnce   = 32
	mostWatched = 16384
	// renewPortion is how many leases are renewed in one call.
	renewPortion = 1000
	// claimPause is how long Run waits to look again for sends whose lease ran out, unless it is told of
	// some; after a failure it waits longer each time, up to longestClaimPause.
	claimPause        = 2 * time.Second
	longestClaimPause = 30 * time.Second
	// shortestWork is how long a send is waited for at least before its bytes are sent again. One that was
	// recorded longer ago is waited for as long as it is old, up to longestWork: a bundler that has it needs
	// no reminder, and one that lost it was reminded.
	shortestWork = 20 * time.Second
	longestWork  = 10 * time.Minute
	// resendsPerSecond is how many sends one process resends at most, beside what it may make up for after a
	// pause: of many that a crash left behind, too, the bundler is not to get all at once.
	resendsPerSecond = 20
	// sweepPause is how often keys are swept, sweepPortion how many an outbox sweeps at once.
	sweepPause   = time.Hour
	sweepPortion = 1000
)

// Run goes on with the sends of [Once] that nobody works on any more, of the client's chain: those that a
// crash left behind, in whichever process, and those of which nobody waits for the end. It sends the same
// bytes again, waits, writes down how the chain ended them, settles the sessions that they changed, and tells
// [Config].Report of each end. However many are open, it takes a bounded number of goroutines and of requests
// a second. It signs nothing. It runs until ctx ends, and returns ctx's error; failures of services and of
// the outbox it outlasts, but not that this process may only read it ([outbox.ErrReadOnly]). One per process;
// a second one at the same time is an error.
func (c *Client) Run(ctx context.Context) error {
	if c.writes.store == nil {
		return fmt.Errorf("%w: Run without Config.Outbox, where sends are written down", ErrConfig)
	}
	if !c.running.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: Run runs already in this process", ErrConfig)
	}
	defer c.running.Store(false)
	r := newRunner(&c.writes)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.listen(ctx) })
	group.Go(func() error { return r.claim(ctx, group) })
	group.Go(func() error { return r.renew(ctx) })
	group.Go(func() error { return r.sweep(ctx) })
	err := group.Wait()
	r.waits.Wait() // which end with the context
	return err
}

// runner is one Run.
type runner struct {
	*writer
	due     chan struct{} // there may be something to claim
	resends *rate.Limiter

	waits sync.WaitGroup // for the ends of sends

	mu       sync.Mutex
	working  int             // on so many sends
	more     bool            // may be due than could be claimed
	leased   map[uint64]bool // entries whose leases are renewed
	waiting  map[uint64]bool // entries whose end is waited for
	reported map[uint64]bool // entries whose end was reported, and not yet marked so
}

func newRunner(w *writer) *runner {
	return &runner{
		writer: w, due: make(chan struct{}, 1), resends: rate.NewLimiter(resendsPerSecond, runAtOnce),
		leased: make(map[uint64]bool), waiting: make(map[uint64]bool), reported: make(map[uint64]bool),
	}
}

func (r *runner) wake() {
	select {
	case r.due <- struct{}{}:
	default: // is told already
	}
}

// listen has the outbox tell what is due, where it can.
func (r *runner) listen(ctx context.Context) error {
	listener, ok := r.box.(outbox.Listener)
	for pause := claimPause; ok; pause = min(2*pause, longestClaimPause) {
		err := listener.Listen(ctx, r.wake)
		if ctx.Err() != nil {
			break
		}
		r.client.trouble(ctx, nil, "have the outbox tell which sends are due", err)
		if !pausing(ctx, pause) {
			break
		}
	}
	return nil
}

// pausing waits for d, and reports whether ctx goes on.
func pausing(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// claim takes what is due and works on it, until ctx ends.
func (r *runner) claim(ctx context.Context, group *errgroup.Group) error {
	for pause := claimPause; ; {
		if room := r.room(); room > 0 {
			entries, err := r.box.Claim(ctx, r.client.chainID, r.lease, room)
			r.begin(entries, len(entries) == room)
			for _, e := range entries {
				group.Go(func() error {
					defer r.end()
					r.work(ctx, e)
					return nil
				})
			}
			switch {
			case errors.Is(err, outbox.ErrReadOnly):
				return fmt.Errorf("go on with sends: %w", err)
			case err == nil:
				pause = claimPause
			default:
				r.client.trouble(ctx, nil, "claim sends", err)
				pause = min(2*pause, longestClaimPause)
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-r.due:
			timer.Stop()
		}
	}
}

// room returns for how many sends there is room beside those that are worked on and waited for.
func (r *runner) room() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return min(runAtOnce-r.working, mostWatched-len(r.waiting))
}

// begin begins the work on entries, whose leases are renewed from now on. more says that more may be due.
func (r *runner) begin(entries []*outbox.Entry, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.working += len(entries)
	r.more = more
	for _, e := range entries {
		r.leased[e.ID] = true
	}
}

// let has the lease of an entry run out.
func (r *runner) let(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leased, id)
}

// end ends the work on one send. Where more are due, they are claimed once there is room for several.
func (r *runner) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.working--
	if r.more && r.working <= runAtOnce/2 {
		r.wake()
	}
}

// work does what is due of an entry: it goes on with one that is open, and reports one that has ended.
func (r *runner) work(ctx context.Context, e *outbox.Entry) {
	switch {
	case e.EntryPoint != r.client.contracts.EntryPoint:
		r.client.trouble(ctx, e, "a send through another EntryPoint is for another client", nil)
	case e.State == outbox.StateOpen:
		if r.goOn(ctx, e) {
			return
		}
	default:
		if err := r.report(ctx, e); err != nil {
			r.client.trouble(ctx, e, "report the end of a send", err)
		}
	}
	r.let(e.ID)
}

// goOn resends an entry's newest operation and waits for it, for a while, which it reports: that goes on
// without it. The end is written down by that, and then claimed by whoever reports it; what is open after it
// is claimed again when the lease has run out.
func (r *runner) goOn(ctx context.Context, e *outbox.Entry) (waits bool) {
	if r.isWaiting(e.ID) { // its lease was lost for a moment
		return true
	}
	if r.resends.Wait(ctx) != nil {
		return false
	}
	sending, cancel := context.WithTimeout(ctx, shortestWork)
	defer cancel()
	if err := r.client.refuseOtherChain(sending); err != nil {
		r.client.trouble(ctx, e, "go on with a send", err)
		return false
	}
	pending, err := r.resend(sending, e)
	if ended, over := errors.AsType[*userop.EndedError](err); over {
		if _, err = r.conclude(sending, e, userop.Outcome{Ended: ended}); err != nil {
			r.client.trouble(ctx, e, "learn the end of a send", err)
		}
		return false
	}
	if pending == nil {
		pending = r.client.sender.WatchOperation(e.Latest().Operation).Guarded(r.guard(e))
	}
	r.wait(ctx, e, pending)
	return true
}

// resend hands an entry's newest operation to the bundler again.
func (r *runner) resend(ctx context.Context, e *outbox.Entry) (tx *userop.Pending, err error) {
	newest := e.Latest()
	ctx, resending := r.client.observer.BeginSend(ctx, observe.Resend, observe.About{Account: e.Account, Hash: newest.Hash})
	defer func() { resending.End(ctx, observe.SendEnd(tx, err)) }()
	r.client.observer.Tell(ctx, observe.Takeover, observe.Moment{Account: e.Account, Hash: newest.Hash, Detail: e.Kind})
	return r.client.sender.ResendGuarded(ctx, newest.Operation, r.guard(e))
}

// wait waits for the end of an entry, for a while, without a goroutine. It waits on where others are to be
// resent first.
func (r *runner) wait(ctx context.Context, e *outbox.Entry, pending *userop.Pending) {
	r.mu.Lock()
	r.waiting[e.ID] = true
	r.mu.Unlock()
	r.waits.Add(1)
	settling := pending.Settling(func(ctx context.Context, is userop.Outcome) (userop.Outcome, error) {
		ctx, cancel := context.WithTimeout(ctx, shortestWork)
		defer cancel()
		return r.conclude(ctx, e, is)
	})
	while := min(max(time.Since(e.CreatedAt), shortestWork), longestWork)
	settling.Then(ctx, func(_ *userop.Receipt, err error) {
		defer r.waits.Done()
		if r.waited(e.ID, ctx.Err() == nil && userop.MayBeAccepted(err)) {
			r.wait(ctx, e, pending)
		}
	}, userop.AtMost(while))
}

// waited ends a wait, and reports whether it is to go on: it is open how the entry ends, its lease is here
// still, and there is no room to resend it.
func (r *runner) waited(id uint64, open bool) (on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if open && r.leased[id] && !r.resends.Allow() {
		return true
	}
	if len(r.waiting) == mostWatched {
		r.wake()
	}
	delete(r.waiting, id)
	delete(r.leased, id)
	return false
}

// conclude writes down how the chain ended an entry, whose lease is nobody's after that.
func (r *runner) conclude(ctx context.Context, e *outbox.Entry, is userop.Outcome) (userop.Outcome, error) {
	r.let(e.ID)
	return r.settle(ctx, e, is)
}

func (r *runner) isWaiting(id uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting[id]
}

// renew makes the leases of what is worked on and waited for last, until ctx ends. Those that others have by
// now are theirs: what is done about them here does no harm.
func (r *runner) renew(ctx context.Context) error {
	for pausing(ctx, r.lease.TTL/3) {
		r.mu.Lock()
		ids := slices.Sorted(maps.Keys(r.leased))
		r.mu.Unlock()
		for portion := range slices.Chunk(ids, renewPortion) {
			held, err := r.box.Renew(ctx, r.lease, portion...)
			if err != nil {
				if ctx.Err() == nil {
					r.client.trouble(ctx, nil, "renew the leases of sends", err)
				}
				continue
			}
			r.lost(portion, held)
		}
	}
	return nil
}

// lost notes which leases others have.
func (r *runner) lost(asked, held []uint64) {
	has := make(map[uint64]bool, len(held))
	for _, id := range held {
		has[id] = true
	}
	for _, id := range asked {
		if !has[id] {
			r.let(id)
		}
	}
}

// report settles the sessions that a send changed, and tells of its end.
func (r *runner) report(ctx context.Context, e *outbox.Entry) error {
	if changesRoot(e.Kind) {
		if err := r.settleSessions(ctx, e); err != nil {
			return err
		}
	}
	if tell := r.client.reports; tell != nil && named(e.Key) && !r.wasReported(e.ID) {
		if err := tell(ctx, r.reportOf(ctx, e)); err != nil {
			return err
		}
		r.setReported(e.ID, true)
	}
	detached, cancel := afterwards(ctx)
	defer cancel()
	err := r.box.MarkReported(detached, e.ID)
	if err == nil {
		r.setReported(e.ID, false)
	}
	return err
}

// settleSessions settles the change of the sessions that a send was to make. It is an error while they wait
// for it still, as a node that lags behind has it. That they cannot be settled by what the chain shows,
// because another change came since, is none.
func (r *runner) settleSessions(ctx context.Context, e *outbox.Entry) error {
	sess, err := session.Open(ctx, r.store, session.Ref{ChainID: e.ChainID, Account: e.Account})
	if err == nil {
		err = sess.On(r.client).Reconcile(ctx)
	}
	if err != nil && sess != nil {
		if pending := sess.Pending(); pending != nil && e.Attempt(pending.OpHash) != nil {
			return err
		}
	}
	if errors.Is(err, session.ErrPending) || errors.Is(err, session.ErrRootMismatch) || errors.Is(err, session.ErrNotFound) {
		r.client.trouble(ctx, e, "settle sessions", err)
		return nil
	}
	return err
}

// reportOf is what is told of an entry that has ended.
func (r *runner) reportOf(ctx context.Context, e *outbox.Entry) Report {
	report := Report{Ref: session.Ref{ChainID: e.ChainID, Account: e.Account}, Key: e.Key, Hash: e.Latest().Hash}
	report.Receipt, report.Err = r.pending(e).Wait(ctx)
	if report.Receipt != nil {
		report.Hash = report.Receipt.UserOpHash
	}
	return report
}

func (r *runner) wasReported(id uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reported[id]
}

func (r *runner) setReported(id uint64, is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if is {
		r.reported[id] = true
	} else {
		delete(r.reported, id)
	}
}

// sweep forgets keys whose sends have ended long ago, now and then.
func (r *runner) sweep(ctx context.Context) error {
	for r.client.keep >= 0 {
		n, err := r.box.Sweep(ctx, r.client.keep, 0)
		if err != nil && ctx.Err() == nil {
			r.client.trouble(ctx, nil, "sweep sends", err)
		}
		if n < sweepPortion && !pausing(ctx, sweepPause) || ctx.Err() != nil {
			break
		}
	}
	return nil
}
