package userop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/observe"
)

// Pending is a sent operation.
type Pending struct {
	sender *Sender
	hash   common.Hash
	op     *Operation
	// release ends the reservation of the nonce, doubt says that it is open what became of the operation.
	release func(used bool)
	doubt   func()
	guard   Guard // of sending it again
	sent    observe.Origin
	// reserved is the reservation that release and doubt tell, nil for none.
	reserved Reservation
	// single says that this very operation is waited for, and none that may land instead.
	single bool
	// settle is told how the chain ended it; nil where nobody asked.
	settle Settle
	// known is how the chain ended it, where that is known already.
	known *Outcome
}

// Outcome is how the chain ended an operation: one that was included has a Receipt, one that never will be is
// Ended. One of the two is there.
type Outcome struct {
	Receipt *Receipt
	Ended   *EndedError
}

// Settle is told how the chain ended an operation, before [Pending.Wait] returns that. It may be called again
// with the same outcome, and may return another one, as that of an operation which was signed for the same
// purpose and the same nonce. An error says that it is open how the purpose ends: the wait ends with it.
type Settle func(ctx context.Context, outcome Outcome) (Outcome, error)

// Settling returns the pending operation with a function that each Wait tells how the chain ended it. It
// stands in for one that was there.
func (p *Pending) Settling(settle Settle) *Pending {
	with := *p
	with.settle = settle
	return &with
}

// Guarded returns the pending operation with a guard that each Wait asks before it hands the operation to the
// bundler again. It stands in for one that was there.
func (p *Pending) Guarded(guard Guard) *Pending {
	with := *p
	with.guard = guard
	return &with
}

// Settled returns the pending operation of one that the chain has ended, as an earlier Wait told: Wait
// returns that at once.
func (s *Sender) Settled(op *Operation, outcome Outcome) *Pending {
	pending := s.WatchOperation(op)
	pending.known = &outcome
	return pending
}

// Watch returns the pending operation of a hash, to wait for one that another process sent. Of a hash alone
// nothing but its inclusion can be known: see [Sender.WatchOperation].
func (s *Sender) Watch(hash common.Hash) *Pending {
	return &Pending{sender: s, hash: hash, release: func(bool) {}, doubt: func() {}}
}

// WatchOperation is [Sender.Watch] for who has the signed operation: what the bundler says is compared with
// it, and the chain can show that it never will be included.
//
// With others, which were signed for the same purpose and have its sender and nonce (see
// [Pending.Operations]), whichever lands is the one that is waited for. One that has another nonce is none.
func (s *Sender) WatchOperation(op *Operation, others ...*Operation) *Pending {
	pending := s.Watch(s.hash(op))
	pending.op = op
	for _, other := range slices.Backward(others) {
		if other.Sender == op.Sender && other.Nonce == op.Nonce {
			s.twins.join(s.hash(op), op, s.hash(other), other)
		}
	}
	return pending
}

// Hash returns the userOpHash.
func (p *Pending) Hash() common.Hash { return p.hash }

// Operation returns the signed operation, nil if it was made by [Sender.Watch]. It must not be changed.
func (p *Pending) Operation() *Operation { return p.op }

const (
	firstPoll = 200 * time.Millisecond
	lastPoll  = 2 * time.Second
	// longestPoll bounds a question, with room for a bundler that is slow: one that is never answered, on a
	// connection that died unnoticed, must not take the whole wait. Where little time is left it has half of
	// that, but not less than shortestTry.
	longestPoll = 30 * time.Second
	shortestTry = 3 * time.Second
	// doubtfulAfter is how long a wait has been in vain for the bundler to have lost the operation, perhaps.
	doubtfulAfter = 20 * time.Second
	// A refusal ends a wait once it came so often in a row, over so long: what a gateway says in passing, as
	// that a key is not valid or that there is nothing at a path, does not.
	refusalsToEnd   = 5
	refusalsAtLeast = 5 * time.Second
	// The chain is asked what the bundler does not tell, less often each time.
	firstLook = 4 * time.Second
	lastLook  = 30 * time.Second
	// Where the new blocks tell all waits at once, each asks by itself this often only. It looks at the chain
	// by itself where it has a reason to, and without one first after doubtfulAfter and then this often.
	restingPoll = 30 * time.Second
	restingLook = 5 * time.Minute
	// remindPause is how often at most a bundler that does not know an operation is handed it again.
	remindPause = time.Minute
	// reorgDepth is how many blocks that were searched are searched again: they may have been replaced.
	reorgDepth = 64
)

// Wait asks the bundler for the receipt, soon at first and less often later, until the chain has ended the
// operation or ctx ends. A nil error means that it was included and its call succeeded; a call that reverted
// is a [*RevertError], with its receipt.
//
// What the bundler says is a claim. Its receipt is compared with the operation and, with a
// [SenderConfig.Chain], confirmed at the node; what the node shows decides. A receipt that is not borne out
// is asked for again. A bundler that gave the operation up, or does not know it, does not end the wait: the
// chain is asked as well, and an operation that it shows will never be included is an [*EndedError]. No
// answer that cannot be used ends it, and a refusal that will not pass by itself only where it came several
// times in a row; a bundler that asks to stay away (Retry-After) is left alone so long. Any other end is a
// [*WaitError], which says what was heard last. Without a deadline in ctx, [SenderConfig].WaitTimeout ends
// the wait.
//
// A bundler that says, a while later, that it does not know an operation ([LossReporter]) is handed the same
// bytes again while the chain shows the nonce unused, unless it was cancelled here.
//
// The inclusion has to have as many confirmations as [SenderConfig].Confirmations, or the option of that
// name, asks for. It is looked at again once it has them. One that is no part of the chain any more by then
// goes on to be waited for, also in another block, and its bytes are handed to the bundler again if it is in
// no block; who waits for the [Pending] of an operation that needs a guard has that asked before. The chain
// has ended an operation only once a reorg of fewer blocks cannot undo that either.
//
// A [SenderConfig.Chain] is asked for its newest block around the moment at which that is expected, as often
// as blocks were seen to come, unless it tells of them by itself ([HeadSubscriber]). The EntryPoint's events
// in the new blocks are read for all waits at once: an operation that lands, or whose nonce another one
// uses, is mostly told within a fraction of the time between blocks. Up to 16 waits of a sender each ask the
// bundler by themselves, too, every two seconds in the end.
//
// Where more wait, they make 80 requests a second at most, each of which a pool may pass on to one member
// after another, and three besides for each operation that this sender has handed over; of those that land,
// none is told later than after about five seconds, or ten where the bundler leaves a question for it
// unanswered. What the events do not show is asked for each operation in turn, every half minute or, with n
// of them and a bundler that takes no batches of requests, every n/80 seconds: as that a window is over, and
// all there is without a [SenderConfig.Chain] or with a node that shows no logs. The wait's own time is over
// when it is, whatever does not answer then.
func (p *Pending) Wait(ctx context.Context, opts ...WaitOption) (receipt *Receipt, err error) {
	ctx, waiting := p.beginWait(ctx)
	defer func() { waiting.End(ctx, p.endOfWait(receipt, err)) }()
	if p.known != nil {
		return p.outcome(ctx, *p.known, 0, p.sender.cfg.Confirmations)
	}
	w, err := p.begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	if !w.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, w.deadline)
		defer cancel()
		w.ctx, w.deadline = ctx, time.Time{}
	}
	if others := p.others(); len(others) > 0 {
		return w.waitEach(append([]*Pending{p.only()}, others...), opts)
	}
	over := make(chan struct{})
	w.over = func() { close(over) }
	settled := w.notice
	w.notice = nil // it is here that it is listened to
	w.sender.watcher.add(w)
	for waiting := true; waiting; {
		select {
		case <-over:
			waiting = false
		case <-ctx.Done():
			w.sender.watcher.cancel(w)
			<-over
			waiting = false
		case <-settled:
			settled = nil
			w.sender.watcher.tell(w)
		}
	}
	if others := w.instead(); len(others) > 0 {
		return w.waitEach(others, opts)
	}
	return w.conclude(ctx)
}

// Then is [Pending.Wait] without a goroutine that waits: it returns at once, and then is called with what
// Wait would return, once. Of all that a sender calls so, a few run at the same time: one that takes long
// holds others up. Once ctx has ended, it is called soon; without a deadline in ctx,
// [SenderConfig].WaitTimeout ends the wait.
func (p *Pending) Then(ctx context.Context, then func(*Receipt, error), opts ...WaitOption) {
	within, waiting := p.beginWait(ctx)
	p.onEnd(within, opts, func(conclude func() (*Receipt, error)) {
		p.sender.watcher.call(func() {
			receipt, err := conclude()
			waiting.End(within, p.endOfWait(receipt, err))
			then(receipt, err)
		})
	})
}

// beginWait begins the stage of one who waits.
func (p *Pending) beginWait(ctx context.Context) (context.Context, observe.Stage) {
	return p.sender.Observer().Begin(ctx, observe.Wait, p.about())
}

// about is what is told of the operation.
func (p *Pending) about() observe.About {
	about := observe.About{Hash: p.hash, Sent: p.sent}
	if p.op != nil {
		about.Account = p.op.Sender
	}
	return about
}

// onEnd is Then for what does not wait itself: over is called with what concludes the wait, which takes as
// long as a [Settle] does.
func (p *Pending) onEnd(ctx context.Context, opts []WaitOption, over func(conclude func() (*Receipt, error))) {
	if p.known != nil {
		over(func() (*Receipt, error) { return p.outcome(ctx, *p.known, 0, p.sender.cfg.Confirmations) })
		return
	}
	w, err := p.begin(ctx, opts)
	if err != nil {
		over(func() (*Receipt, error) { return nil, err })
		return
	}
	if others := p.others(); len(others) > 0 {
		w.each(append([]*Pending{p.only()}, others...), opts, over)
		return
	}
	w.over = func() {
		if others := w.instead(); len(others) > 0 {
			w.each(others, opts, over)
			return
		}
		over(func() (*Receipt, error) { return w.conclude(ctx) })
	}
	p.sender.watcher.addAsync(w)
}

// begin makes a wait that has not begun yet.
func (p *Pending) begin(ctx context.Context, opts []WaitOption) (*wait, error) {
	o, err := p.sender.waitOptions(opts)
	if err != nil {
		return nil, &WaitError{Hash: p.hash, Err: err}
	}
	w := &wait{Pending: p, ctx: ctx, start: time.Now(), confirmations: o.confirmations, lookPause: firstLook}
	if _, ok := ctx.Deadline(); o.atMost <= 0 && !ok {
		o.atMost = p.sender.cfg.WaitTimeout
	}
	if o.atMost > 0 {
		w.deadline = w.start.Add(o.atMost)
	}
	w.pause, w.notice = firstPoll, p.settled()
	w.restLook = w.start.Add(doubtfulAfter + rand.N(doubtfulAfter/5)) // not before what it may do
	if p.op != nil && p.sender.cfg.Until != nil {
		w.until = p.sender.cfg.Until(p.op)
	}
	return w, nil
}

// conclude is what a wait returns that is over.
func (w *wait) conclude(ctx context.Context) (*Receipt, error) {
	if w.err == nil {
		return w.outcome(ctx, Outcome{Receipt: w.found}, w.waited, w.confirmations)
	}
	if ended, ok := errors.AsType[*EndedError](w.err); ok {
		return w.outcome(ctx, Outcome{Ended: ended}, w.waited, w.confirmations)
	}
	if w.waited >= doubtfulAfter && !w.seen.counting() {
		w.doubt()
	}
	return nil, w.failed(w.waited, w.err)
}

// failed is the error of a wait that ended without a verdict.
func (w *wait) failed(waited time.Duration, err error) *WaitError {
	last := w.last
	if last == nil {
		last = w.seen.resendErr
	}
	return &WaitError{
		Hash: w.hash, Waited: waited, Last: last, Chain: w.chainErr, Err: err,
		Seen: w.seen.receipt, Lost: w.seen.lost, Confirmations: w.confirmations,
	}
}

// errGoOn says that nothing has ended a wait yet.
var errGoOn = errors.New("the wait goes on")

// wait is one wait and what it has heard. What the watcher has of it is guarded by the watcher's lock; the
// rest is its visit's, of which there is one at a time.
type wait struct {
	*Pending
	ctx           context.Context
	deadline      time.Time // zero where that of ctx counts
	start         time.Time
	over          func() // is called once it is
	confirmations uint64 // that are asked for
	until         uint64 // as [SenderConfig].Until says
	watched
	visit

	// found and err are how it ended, waited is after how long.
	found  *Receipt
	err    error
	waited time.Duration

	seen           sighting
	last, chainErr error
	dropped        bool // the bundler said so
	// nextLook is when to look at the chain again, zero until the first look.
	nextLook  time.Time
	lookPause time.Duration
	// restLook is when to look again without a reason, while the new blocks tell what happens.
	restLook time.Time
	// nextRemind is when the bundler may be handed the operation again.
	nextRemind time.Time
	// floor is the block that the chain was searched to.
	floor uint64
	// quietUntil is until when the bundler asked to be left alone.
	quietUntil time.Time
	// refusal is what the bundler refused to answer with last, so often in a row and since when.
	refusal      string
	refusals     int
	refusedSince time.Time
}

// poll asks the bundler, and the chain where it has to. told says that there is something to ask about, slow
// that the wait has lasted a while.
func (w *wait) poll(ctx context.Context, told, slow bool) (*Receipt, error) {
	switch {
	case w.seen.counting():
		return w.count(ctx)
	case w.event != nil:
		if receipt, err := w.shown(ctx, w.event); !errors.Is(err, errGoOn) {
			return receipt, err
		}
	}
	quiet := w.quiet()
	receipt, err := (*Receipt)(nil), errGoOn
	if !quiet {
		if receipt, err = w.receipt(ctx); err == errShown {
			return nil, errGoOn
		}
		w.refused(err)
	}
	if err == nil {
		err = w.sender.contradicts(receipt, w.hash, w.op)
	}
	look := slow || quiet || w.dropped || w.seen.lost
	switch {
	case quiet:
	case err == nil && w.sender.cfg.Chain == nil:
		return receipt, nil
	case err == nil:
		if receipt, err = w.confirm(ctx, receipt); err == nil {
			w.missedBySweep(receipt)
			return w.include(ctx, receipt)
		}
		look = true
	case errors.Is(err, ErrNotFound):
		if told || slow && w.worthALook() {
			look = w.askDropped(ctx) || look
		} else if !errors.Is(w.last, ErrDropped) && !errors.Is(w.last, ErrUnconfirmed) {
			w.last = nil
		}
		err = errGoOn
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		w.last = err
		if w.refusals < refusalsToEnd || time.Since(w.refusedSince) < refusalsAtLeast {
			err = errGoOn
		} else {
			w.nextLook, w.restLook, look = time.Time{}, time.Time{}, true // the last one
		}
	}
	if look && w.sender.cfg.Chain != nil && !time.Now().Before(w.nextLook) && w.worthALook() {
		receipt, shown := w.look(ctx)
		switch {
		case shown == nil:
			return w.include(ctx, receipt)
		case !errors.Is(shown, errGoOn):
			return nil, shown
		}
	}
	return nil, err
}

// receipt asks the bundler for the receipt once.
func (w *wait) receipt(ctx context.Context) (*Receipt, error) {
	if answer := w.answer; answer != nil {
		w.answer = nil
		return answer.Receipt, answer.Err
	}
	ctx, cancel := oneTry(ctx, w.patience())
	defer cancel()
	if err := w.sender.watcher.payFor(ctx, w); err != nil {
		return nil, err
	}
	return w.sender.cfg.Bundler.UserOperationReceipt(ctx, w.hash)
}

// refused notes an answer of the bundler: whether it is a refusal, the same as before, and whether it asks to
// be left alone.
func (w *wait) refused(answer error) {
	w.keepAway(answer)
	switch {
	case answer == nil || !permanent(answer):
		w.refusals = 0
	case w.refusals == 0 || answer.Error() != w.refusal:
		w.refusal, w.refusals, w.refusedSince = answer.Error(), 1, time.Now()
	default:
		w.refusals++
	}
}

// permanent reports whether asking again for a receipt is pointless.
func permanent(err error) bool {
	var judged interface{ Temporary() bool }
	return errors.As(err, &judged) && !judged.Temporary()
}

// confirm looks for the operation in the block that the bundler names.
func (w *wait) confirm(ctx context.Context, claim *Receipt) (*Receipt, error) {
	asking, cancel := oneTry(ctx, longestPoll)
	defer cancel()
	shown, err := w.chain().inBlock(asking, w.hash, w.sender.bearingOut(claim))
	if err == nil && (shown.TransactionHash != claim.TransactionHash || shown.Success != claim.Success) {
		shown, err = w.chain().inBlock(asking, w.hash, w.sender.wholeBlock(shown.BlockNumber))
	}
	if err == nil {
		if !shown.Success {
			shown.Reason = claim.Reason // words for a revert that has no data
		}
		return shown, nil
	}
	if ctx.Err() == nil {
		why := "which the node does not show"
		if !errors.Is(err, ErrNotFound) {
			why = "which cannot be looked up: the node has to answer eth_getLogs for that block"
		}
		w.last = fmt.Errorf("%w: it claims the inclusion in transaction %s of block %d, %s", ErrUnconfirmed, claim.TransactionHash, claim.BlockNumber, why)
		w.note(err)
	}
	return nil, errGoOn
}

// note keeps what a look at the chain failed with; that it shows nothing is no failure.
func (w *wait) note(err error) {
	if w.chainErr = err; errors.Is(err, ErrNotFound) {
		w.chainErr = nil
	}
}

// askDropped asks a bundler that can tell whether it gave the operation up, and reports whether it says so.
// It may have included it: the chain tells.
func (w *wait) askDropped(ctx context.Context) bool {
	bundler, ok := ability.Find[DropReporter](w.sender.cfg.Bundler)
	if !ok {
		w.last = nil
		return false
	}
	asking, cancel := oneTry(ctx, w.patience())
	defer cancel()
	err := w.sender.watcher.pay(asking)
	dropped := false
	if err == nil {
		dropped, err = bundler.UserOperationDropped(asking, w.hash)
	}
	w.keepAway(err)
	switch {
	case err != nil:
		return false
	case !dropped:
		w.last = nil
		return false
	case !w.dropped: // look at once, and more often again
		w.dropped, w.nextLook, w.lookPause = true, time.Time{}, firstLook
	}
	w.last = fmt.Errorf("%w: %s", ErrDropped, w.hash)
	return true
}

// look asks the chain what became of the operation.
func (w *wait) look(ctx context.Context) (*Receipt, error) {
	asking, cancel := oneTry(ctx, longestPoll)
	defer cancel()
	receipt, err := w.onChain(asking)
	if err == nil {
		receipt, err = w.chain().inBlock(asking, w.hash, w.sender.wholeBlock(receipt.BlockNumber))
	}
	if _, ended := errors.AsType[*EndedError](err); err == nil || ended {
		return receipt, err
	}
	if ctx.Err() == nil {
		w.note(err)
	}
	unknown := false
	if errors.Is(err, ErrNotFound) {
		w.putBack(ctx)
		unknown = w.remind(ctx) != nil
	}
	now := time.Now()
	w.nextLook, w.lookPause = now.Add(jitter(w.lookPause)), min(2*w.lookPause, lastLook)
	w.restLook = now.Add(jitter(restingLook))
	switch reminds := w.start.Add(doubtfulAfter); {
	case unknown: // again soon: it may come back, and not know the operation
		w.nextLook, w.restLook = now.Add(jitter(firstLook)), now.Add(jitter(remindPause))
	case now.Before(reminds) && reminds.Before(w.nextLook):
		w.nextLook = reminds
	}
	return nil, errGoOn
}

// remind hands the operation to the bundler again that says it does not know it, while the chain shows its
// nonce unused. One that needs a guard and has none is left to whoever has, and one that was cancelled here
// to what took its place. An error means that the bundler could not be asked.
func (w *wait) remind(ctx context.Context) error {
	now := time.Now()
	if w.op == nil || w.quiet() || w.seen.lost || now.Sub(w.start) < doubtfulAfter || now.Before(w.nextRemind) ||
		w.guard == nil && !w.sender.mayResend(w.op) || w.sender.twins.canceled(w.hash) {
		return nil
	}
	bundler, ok := ability.Find[LossReporter](w.sender.cfg.Bundler)
	if !ok {
		return nil
	}
	asking, cancel := oneTry(ctx, w.patience())
	defer cancel()
	lost := false
	err := w.sender.watcher.pay(asking)
	if err == nil {
		lost, err = bundler.UserOperationLost(asking, w.hash)
	}
	if w.keepAway(err); err != nil || !lost {
		return err
	}
	w.nextRemind = now.Add(jitter(remindPause))
	sending, done := oneTry(ctx, longestSend)
	defer done()
	_, err = w.sender.submit(sending, w.op, w.about(), true, w.guard)
	if _, ended := errors.AsType[*EndedError](err); !ended { // which the next look tells
		w.seen.resendErr = err
	}
	return nil
}

// onChain finds the operation on chain: by its nonce where that is known, by its hash alone otherwise.
func (w *wait) onChain(ctx context.Context) (*Receipt, error) {
	if w.op != nil {
		return w.chain().fate(ctx, w.op, w.hash, w.confirmations)
	}
	byHash := [][]common.Hash{{contracts.UserOperationEventTopic}, {w.hash}}
	receipt, head, err := w.chain().search(ctx, byHash, w.floor, func(r *Receipt) bool { return r.UserOpHash == w.hash })
	if errors.Is(err, ErrNotFound) {
		w.floor = head - min(head, max(reorgDepth, w.confirmations))
	}
	return receipt, err
}

// outcome is what a Wait returns of how the chain ended the operation. One that waited for fewer
// confirmations than the sender's does not settle it.
func (p *Pending) outcome(ctx context.Context, is Outcome, waited time.Duration, confirmations uint64) (*Receipt, error) {
	final := confirmations >= p.sender.cfg.Confirmations
	if used := is.Receipt != nil || is.Ended.By != (common.Hash{}); used || final {
		p.release(used)
	}
	if p.settle != nil && final {
		var err error
		if is, err = p.settle(ctx, is); err != nil {
			return nil, &WaitError{Hash: p.hash, Waited: waited, Err: err}
		}
	}
	switch {
	case is.Ended != nil:
		return nil, is.Ended
	case !is.Receipt.Success:
		return is.Receipt, p.sender.revertError(is.Receipt)
	}
	return is.Receipt, nil
}

// revertError is the error of an operation that was included and failed.
func (s *Sender) revertError(receipt *Receipt) *RevertError {
	e := &RevertError{Receipt: receipt, Revert: contracts.DecodeRevert(receipt.RevertData)}
	if s.cfg.Explain != nil {
		e.Cause = s.cfg.Explain(receipt)
	}
	return e
}

// oneTry bounds one try of several, so that one that is never answered leaves time for another.
func oneTry(ctx context.Context, longest time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		longest = min(longest, max(time.Until(deadline)/2, shortestTry))
	}
	return context.WithTimeout(ctx, longest)
}

// jitter spreads d by a tenth either way, so that many waits do not poll in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// settled is closed when there is something to ask the bundler for, if it tells.
func (p *Pending) settled() <-chan struct{} {
	if bundler, ok := ability.Find[Notifier](p.sender.cfg.Bundler); ok {
		return bundler.Settled(p.hash)
	}
	return nil
}
