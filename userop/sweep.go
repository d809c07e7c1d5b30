package userop

import (
	"context"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/observe"
)

const (
	// Sweeps follow the blocks: one comes once a new block is seen, or after sweepPause, not sooner than
	// shortestSweep after the one before; after one that failed the pause is longer each time, up to
	// lastLook.
	sweepPause    = lastPoll
	shortestSweep = 50 * time.Millisecond
	// sweptAgain is how many blocks that were swept are swept again: of several nodes behind one address some
	// lag behind, and blocks may have been replaced.
	sweptAgain = 32
	// mostTopics is how many senders or hashes are named in one question for logs.
	mostTopics = 1000
	// Sweeps are relied on for so long after one, as long as the newest block is not older than that, and not
	// for a while after an inclusion that they missed.
	sweepLasts   = 10 * time.Second
	headLasts    = 30 * time.Second
	blindLasts   = 5 * time.Minute
	longestRound = time.Second
)

// sweeper reads the EntryPoint's events in the new blocks for all waits at once. But for blockTime it is
// guarded by the watcher's lock; what is between sweeps only is the sweep's, of which there is one at a time.
type sweeper struct {
	sweeping  bool
	nextSweep time.Time
	beat      beat
	sweptAt   time.Time // when the events were read last
	askedAt   time.Time // when the newest block was asked for last
	following bool      // the blocks: something was asked for in vain
	// subscribed says that the node tells of new blocks, of which told is the newest.
	subscribed             bool
	told                   uint64
	pause                  time.Duration
	tellsUntil, blindUntil time.Time
	current                *round
	// swept is the block that was swept to, since is the first one, once begun. past are what swept was after
	// each of the last sweeps, the oldest first.
	swept, since uint64
	begun        bool
	past         [3]uint64
	// head is the newest block that was seen, since headSince.
	head      uint64
	headSince time.Time
	// blockTime is the newest block's that any look told of.
	blockTime atomic.Uint64

	// portion is for how many blocks the node is asked, widest for how many it answers at most, as far as is
	// known; narrow says that it does not answer for all events of a block.
	portion, widest uint64
	narrow          bool
}

func (s *sweeper) init() { s.pause, s.portion, s.widest = sweepPause, maxPortion, maxPortion }

// reset forgets how far was swept, once nobody waits.
func (s *sweeper) reset() {
	s.swept, s.head, s.current, s.nextSweep, s.pause = 0, 0, nil, time.Time{}, sweepPause
	s.begun, s.since, s.past, s.tellsUntil = false, 0, [3]uint64{}, time.Time{}
	s.sweptAt, s.askedAt, s.following, s.subscribed, s.told = time.Time{}, time.Time{}, false, false, 0
}

func (s *sweeper) sweptTo() uint64 { return s.swept }

// sweepDue reports whether to sweep now, and begins that.
func (s *sweeper) sweepDue(now time.Time) bool {
	due := !s.sweeping && !now.Before(s.nextSweep)
	s.sweeping = s.sweeping || due
	return due
}

// tells reports whether what happens in new blocks is known without asking for each operation.
func (s *sweeper) tells(now time.Time) bool {
	return now.Before(s.tellsUntil) && now.Before(s.headSince.Add(headLasts)) && !now.Before(s.blindUntil)
}

// sought is what the waits look for in new blocks.
type sought struct {
	senders, hashes []common.Hash // as topics; hashes are those of operations that nothing else is known of
	deepest         uint64        // confirmations
	known           bool          // how far was swept, and that
	swept           uint64
}

// sought is called with the watcher's lock.
func (v *watcher) sought() sought {
	var s sought
	known := make(map[common.Address]bool)
	for _, w := range v.queue {
		switch {
		case w.counted:
		case w.op == nil:
			s.hashes = append(s.hashes, w.hash)
		case !known[w.op.Sender]:
			known[w.op.Sender] = true
			s.senders = append(s.senders, common.BytesToHash(w.op.Sender[:]))
		}
		s.deepest = max(s.deepest, w.confirmations)
	}
	return s
}

// sweep reads the new blocks, and has the waits that they tell of gone on with.
func (v *watcher) sweep(ctx context.Context) {
	var err error
	if v.sender.cfg.Chain != nil {
		err = v.sweepBlocks(ctx)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweeping = false
	now := time.Now()
	switch {
	case v.sender.cfg.Chain == nil, ctx.Err() != nil:
		v.pause, v.nextSweep = sweepPause, now.Add(sweepPause)
	case err == nil:
		v.pause, v.nextSweep = sweepPause, v.beat.next(now)
		switch {
		case v.told > v.beat.head:
			v.nextSweep = v.answerTo(now)
			v.told = 0 // once
		case v.subscribed:
			v.nextSweep = now.Add(sweepPause)
		case v.crowded:
			v.nextSweep = minTime(v.nextSweep, now.Add(sweepPause))
		}
		v.nextSweep = latest(v.nextSweep, v.sweptAt.Add(shortestSweep), now.Add(v.overBudget()))
	default:
		v.sender.Observer().Tell(ctx, observe.Trouble, observe.Moment{Detail: "read new blocks for operations that are waited for", Err: err})
		v.pause = min(2*v.pause, lastLook)
		v.nextSweep = now.Add(v.pause)
	}
	v.run()
}

// follow begins to follow the blocks.
func (v *watcher) follow(now time.Time) {
	v.following, v.nextSweep = true, v.beat.next(now)
	if node, ok := ability.Find[HeadSubscriber](v.sender.cfg.Chain); ok {
		go v.hearHeads(v.ctx, node)
	}
}

// hearHeads has the new blocks looked at that the node tells of, until nobody waits any more.
func (v *watcher) hearHeads(ctx context.Context, node HeadSubscriber) {
	heads := make(chan *types.Header, 16)
	subscription, err := node.SubscribeNewHead(ctx, heads)
	if err != nil {
		return // they are asked for
	}
	defer subscription.Unsubscribe()
	v.hears(ctx, true, 0)
	for {
		select {
		case head := <-heads:
			if head != nil && head.Number != nil && head.Number.IsUint64() {
				v.hears(ctx, true, head.Number.Uint64())
			}
		case <-subscription.Err():
			v.hears(ctx, false, 0)
			return
		case <-ctx.Done():
			return
		}
	}
}

// hears notes what a subscription tells: whether it lasts, and of a new block.
func (v *watcher) hears(ctx context.Context, lasts bool, head uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	v.subscribed, v.told = lasts, max(v.told, head)
	switch {
	case v.sweeping:
	case !lasts:
		v.nextSweep = now
	case head > v.beat.head:
		v.told, v.nextSweep = 0, v.answerTo(now)
	}
	v.run()
}

// answerTo is when to look for a block that the node tells of: it may tell of any number that are not there.
func (s *sweeper) answerTo(now time.Time) time.Time {
	return latest(now, s.sweptAt.Add(shortestSweep), s.askedAt.Add(shortestSweep))
}

// newHead asks for the newest block, and reports whether its events are to be read.
func (v *watcher) newHead(ctx context.Context) (head uint64, reads bool, err error) {
	v.use()
	asked := time.Now()
	if head, err = v.sender.cfg.Chain.BlockNumber(ctx); err != nil {
		return 0, false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.askedAt = asked
	// Where many wait they rely on it, and blocks are read again which a node may not have shown in full.
	if !v.beat.saw(head, asked, now) && v.begun && (!v.crowded || now.Sub(v.sweptAt) < sweepPause) {
		return head, false, nil
	}
	v.sweptAt = now
	v.hurry(func(w *wait) bool { return w.counted && head >= w.ripe })
	return head, true, nil
}

// sweepBlocks reads the blocks from those that were swept last, and some before.
func (v *watcher) sweepBlocks(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longestPoll)
	defer cancel()
	head, reads, err := v.newHead(ctx)
	if err != nil || !reads {
		return err
	}
	wanted := v.newRound(head)
	swept, again := wanted.swept, min(max(sweptAgain, wanted.deepest+1), v.portion*maxPortions/2)
	if !wanted.known {
		swept, again = head, reorgDepth
	}
	from := min(swept, head) + 1
	from -= min(from, again)
	from = max(from, head-min(head, maxPortion*maxPortions))
	for range maxPortions {
		to := min(from+v.portion-1, head)
		events, err := v.events(ctx, wanted, from, to)
		switch {
		case err == nil:
			v.found(ctx, events, from, to, head)
		case ctx.Err() != nil:
			return err
		case !v.narrow && len(wanted.queries(false)) < len(wanted.queries(true)):
			v.narrow = true
			continue
		case to > from:
			v.widest = to - from
			v.portion = max((to-from+1)/8, 1)
			continue
		default:
			return err
		}
		v.portion = min(2*v.portion, v.widest)
		if to == head {
			v.widest = min(v.widest+v.widest/8+1, maxPortion) // it may have failed for another reason
			break
		}
		from = to + 1
	}
	return nil
}

// queries are the topics of the questions for the events: all of them where that is fewer questions than by
// those who sent the operations, unless the node does not answer that.
func (s *sought) queries(narrow bool) [][][]common.Hash {
	event := []common.Hash{contracts.UserOperationEventTopic}
	var all [][][]common.Hash
	for portion := range slices.Chunk(s.senders, mostTopics) {
		all = append(all, [][]common.Hash{event, nil, portion})
	}
	for portion := range slices.Chunk(s.hashes, mostTopics) {
		all = append(all, [][]common.Hash{event, portion})
	}
	if len(all) > 1 && !narrow {
		return [][][]common.Hash{{event}}
	}
	return all
}

// events are what the blocks show of operations.
func (v *watcher) events(ctx context.Context, wanted sought, from, to uint64) ([]*Receipt, error) {
	var events []*Receipt
	for _, topics := range wanted.queries(v.narrow) {
		query := v.sender.blocks(from, to, topics)
		v.use()
		logs, err := v.sender.cfg.Chain.FilterLogs(ctx, query)
		if err != nil {
			return nil, err
		}
		for i, logs := 0, answering(query, logs); i < len(logs); i++ {
			if receipt, ok := v.sender.included(&logs[i]); ok {
				events = append(events, receipt)
			}
		}
	}
	return events, nil
}

// place is an account's nonce.
type place struct {
	sender common.Address
	nonce  uint256.Int
}

// found tells the waits what blocks show.
func (v *watcher) found(ctx context.Context, events []*Receipt, from, to, head uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	if head > v.head {
		v.head, v.headSince = head, now
	}
	if !v.begun {
		v.begun, v.since = true, from
	}
	v.swept = max(v.swept, to)
	if to == head {
		v.tellsUntil = now.Add(sweepLasts)
		v.past = [3]uint64{v.past[1], v.past[2], v.swept}
	}
	byHash, byPlace := make(map[common.Hash]*Receipt, len(events)), make(map[place]*Receipt, len(events))
	for _, event := range events {
		byHash[event.UserOpHash] = event
		byPlace[place{event.Sender, event.Nonce}] = event
	}
	if len(events) == 0 {
		return
	}
	for _, w := range v.queue {
		event := byHash[w.hash]
		if event == nil && w.op != nil {
			event = byPlace[place{w.op.Sender, w.op.Nonce}]
			if event != nil && missing(w.confirmations, event.BlockNumber, head) > 0 {
				event = nil
			}
		}
		if event != nil && !w.counted {
			if w.hint = event; w.shownHint != nil {
				close(w.shownHint)
				w.shownHint = nil
			}
		}
	}
	v.hurry(func(w *wait) bool { return w.hint != nil })
}

// shown goes on with an operation whose end the new blocks showed: its inclusion, or the operation that used
// its nonce, which has its confirmations.
func (w *wait) shown(ctx context.Context, event *Receipt) (*Receipt, error) {
	if event.UserOpHash != w.hash {
		return nil, &EndedError{
			Hash: w.hash, Sender: w.op.Sender, Nonce: w.op.Nonce, By: event.UserOpHash, Transaction: event.TransactionHash,
		}
	}
	asking, cancel := oneTry(ctx, longestPoll)
	defer cancel()
	receipt, err := w.chain().inBlock(asking, w.hash, w.sender.wholeBlock(event.BlockNumber))
	switch {
	case err == nil:
		return w.include(ctx, receipt)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	w.note(err)
	return nil, errGoOn
}

// missedBySweep notes where a receipt that the node bears out is in a block that was swept in vain: the node
// does not show all events, and each wait asks by itself for a while.
func (w *wait) missedBySweep(receipt *Receipt) {
	v := &w.sender.watcher
	v.mu.Lock()
	defer v.mu.Unlock()
	if w.resting && v.begun && receipt.BlockNumber >= max(w.joined+1, v.since) && receipt.BlockNumber <= v.past[0] {
		v.blindUntil = time.Now().Add(blindLasts)
	}
}

// chain is what a visit reads: where many wait, with others. It is called with the watcher's lock.
func (v *watcher) chain(crowded bool) Chain {
	switch {
	case v.sender.cfg.Chain == nil:
		return nil
	case !crowded:
		return paidChain{v}
	case v.current == nil || time.Since(v.current.began) > longestRound:
		v.current = &round{watcher: v, ctx: v.ctx, began: time.Now()}
	}
	return v.current
}

// newRound begins a round, of which the newest block's number is known, and returns what is looked for in it.
func (v *watcher) newRound(head uint64) sought {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.current = &round{watcher: v, ctx: v.ctx, began: time.Now(), newest: &answered[uint64]{done: make(chan struct{}), value: head}}
	close(v.current.newest.done)
	wanted := v.sought()
	wanted.known, wanted.swept = v.begun, v.swept
	return wanted
}

// paidChain is the sender's chain, within the budget.
type paidChain struct{ *watcher }

// BlockNumber implements [Chain].
func (c paidChain) BlockNumber(ctx context.Context) (uint64, error) {
	if err := c.pay(ctx); err != nil {
		return 0, err
	}
	return c.sender.cfg.Chain.BlockNumber(ctx)
}

// FilterLogs implements [Chain].
func (c paidChain) FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error) {
	if err := c.pay(ctx); err != nil {
		return nil, err
	}
	return c.sender.cfg.Chain.FilterLogs(ctx, query)
}

// NonceState implements [Chain].
func (c paidChain) NonceState(ctx context.Context, op *Operation, block *big.Int) (NonceState, error) {
	if err := c.pay(ctx); err != nil {
		return NonceState{}, err
	}
	state, err := c.sender.cfg.Chain.NonceState(ctx, op, block)
	for known := c.blockTime.Load(); err == nil && state.BlockTime > known; known = c.blockTime.Load() {
		if c.blockTime.CompareAndSwap(known, state.BlockTime) {
			break
		}
	}
	return state, err
}

// round is the chain as many waits read it within a moment: the number of the newest block is asked for once,
// and after it the logs of a block once, whichever operations in it are looked for.
type round struct {
	*watcher
	ctx   context.Context
	began time.Time

	mu     sync.Mutex
	newest *answered[uint64]
	blocks map[uint64]*answered[[]types.Log]
}

// answered is a question that was asked for several.
type answered[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// ask asks, within the time of the round.
func ask[T any](ctx context.Context, question func(context.Context) (T, error)) *answered[T] {
	a := &answered[T]{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		ctx, cancel := context.WithTimeout(ctx, longestPoll)
		defer cancel()
		a.value, a.err = question(ctx)
	}()
	return a
}

func (a *answered[T]) wait(ctx context.Context) (value T, err error) {
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// BlockNumber implements [Chain].
func (r *round) BlockNumber(ctx context.Context) (uint64, error) {
	r.mu.Lock()
	if r.newest == nil {
		r.newest = ask(r.ctx, paidChain{r.watcher}.BlockNumber)
	}
	newest := r.newest
	r.mu.Unlock()
	return newest.wait(ctx)
}

// FilterLogs implements [Chain]. The logs of a whole block are asked for once, after the newest block's
// number, so that a block which has its confirmations by that number is not an older one.
func (r *round) FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error) {
	if len(query.Addresses) > 0 || len(query.Topics) > 0 || query.FromBlock.Cmp(query.ToBlock) != 0 {
		return paidChain{r.watcher}.FilterLogs(ctx, query)
	}
	if _, err := r.BlockNumber(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	number := query.FromBlock.Uint64()
	logs := r.blocks[number]
	if logs == nil {
		if r.blocks == nil {
			r.blocks = make(map[uint64]*answered[[]types.Log])
		}
		logs = ask(r.ctx, func(ctx context.Context) ([]types.Log, error) {
			r.use()
			return r.sender.cfg.Chain.FilterLogs(ctx, query)
		})
		r.blocks[number] = logs
	}
	r.mu.Unlock()
	return logs.wait(ctx)
}

// NonceState implements [Chain].
func (r *round) NonceState(ctx context.Context, op *Operation, block *big.Int) (NonceState, error) {
	return paidChain{r.watcher}.NonceState(ctx, op, block)
}
