package userop

import (
	"context"
	"errors"
	"math/big"
	"time"
)

// WaitOption changes one [Pending.Wait].
type WaitOption func(*waitOptions)

type waitOptions struct {
	confirmations uint64
	atMost        time.Duration
}

// AtMost has a wait end after d, if its context does not end before. It is for who waits for many, who needs
// no context for each then.
func AtMost(d time.Duration) WaitOption {
	return func(o *waitOptions) { o.atMost = d }
}

// Confirmations has a wait ask for n confirmations in place of [SenderConfig].Confirmations, for more or for
// fewer: one is the block that holds the operation, two one block on top of it. 0 is the sender's own number.
func Confirmations(n uint64) WaitOption {
	return func(o *waitOptions) { o.confirmations = n }
}

// errNoChain is a number of confirmations that cannot be counted.
var errNoChain = errors.New("userop: more than one confirmation needs a Chain to count them on; name one in the SenderConfig")

// waitOptions are what a wait with the options asks for.
func (s *Sender) waitOptions(opts []WaitOption) (o waitOptions, err error) {
	for _, opt := range opts {
		if opt == nil {
			return o, errors.New("userop: an option of the wait is nil")
		}
		opt(&o)
	}
	if o.confirmations == 0 {
		o.confirmations = s.cfg.Confirmations
	}
	if o.confirmations > 1 && s.cfg.Chain == nil {
		return o, errNoChain
	}
	return o, nil
}

// missing is how many of n confirmations a block has not while head is the newest.
func missing(n, block, head uint64) uint64 {
	if head < block {
		return n
	}
	return n - min(n, head-block+1)
}

// confirmedBlock is the newest block that has n confirmations: a reorg shallower than n leaves it where it
// is. Block 0 is never lost.
func (s evidence) confirmedBlock(ctx context.Context, n uint64) (*big.Int, error) {
	head, err := s.chain.BlockNumber(ctx)
	if err != nil {
		return nil, err
	}
	return new(big.Int).SetUint64(head - min(head, n-1)), nil
}

const (
	// A wait for many blocks pauses longer than one for the last of them, up to so many times.
	mostPauses = 5
	// behindToLose is how often in a row the node has to be behind an inclusion that it showed: of several
	// nodes behind one address some are for a moment.
	behindToLose = 3
)

// sighting is an inclusion that the chain showed, while its confirmations are counted, and after it was lost.
type sighting struct {
	receipt *Receipt
	missing uint64 // confirmations
	behind  int    // answers of the node in a row that do not reach the block
	// lost says that it is no part of the chain any more, resent that the operation was handed to the bundler
	// again since. resendErr is how handing it over again failed last.
	lost, resent bool
	resendErr    error
}

// counting reports whether confirmations are counted.
func (i *sighting) counting() bool { return i.receipt != nil && !i.lost }

// longestPause bounds the pauses of a wait.
func (i *sighting) longestPause() time.Duration {
	if !i.counting() {
		return lastPoll
	}
	return lastPoll * time.Duration(min(max(i.missing, 1), mostPauses))
}

// include takes an inclusion that the chain shows, and returns it where it has its confirmations.
func (w *wait) include(ctx context.Context, receipt *Receipt) (*Receipt, error) {
	if w.confirmations == 1 {
		return receipt, nil
	}
	w.seen = sighting{receipt: receipt, missing: w.confirmations}
	w.last, w.dropped = nil, false
	w.nextLook, w.lookPause = time.Now().Add(jitter(firstLook)), 2*firstLook
	return w.count(ctx)
}

// count counts the confirmations of the inclusion. Its block is looked at again at the end, and now and then
// before. The newest block's number is asked for before that: what has its confirmations then stays where it
// is, as long as reorgs are shallower.
func (w *wait) count(ctx context.Context) (*Receipt, error) {
	asking, cancel := oneTry(ctx, longestPoll)
	defer cancel()
	head, err := w.chain().chain.BlockNumber(asking)
	if err != nil {
		return nil, w.unanswered(ctx, err)
	}
	number := w.seen.receipt.BlockNumber
	w.seen.missing = missing(w.confirmations, number, head)
	if head < number {
		if w.seen.behind++; w.seen.behind == behindToLose {
			w.lose()
		}
		return nil, errGoOn
	}
	w.seen.behind = 0
	if w.seen.missing > 0 && time.Now().Before(w.nextLook) {
		return nil, errGoOn
	}
	w.nextLook, w.lookPause = time.Now().Add(jitter(w.lookPause)), min(2*w.lookPause, lastLook)
	shown, err := w.chain().inBlock(asking, w.hash, w.sender.wholeBlock(number))
	switch {
	case errors.Is(err, ErrNotFound):
		w.lose()
	case err != nil:
		return nil, w.unanswered(ctx, err)
	case shown.BlockHash != w.seen.receipt.BlockHash: // another branch has it in a block of the same number
		w.seen = sighting{receipt: shown, missing: w.confirmations}
	case w.seen.missing == 0:
		return w.seen.receipt, nil
	}
	return nil, errGoOn
}

// unanswered notes what the node failed with.
func (w *wait) unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.note(err)
	return errGoOn
}

// lose notes that the inclusion is no part of the chain any more: what becomes of the operation is open
// again.
func (w *wait) lose() {
	w.seen.lost = true
	w.nextLook, w.lookPause = time.Time{}, firstLook
}

// putBack hands the operation to the bundler again, once the chain has lost it and shows its nonce unused:
// the bundler may have lost it, too. One that needs a guard and has none is left to whoever has.
func (w *wait) putBack(ctx context.Context) {
	if !w.seen.lost || w.seen.resent || w.op == nil {
		return
	}
	w.seen.resent = true
	w.doubt() // its nonce is its own again
	if w.guard == nil && !w.sender.mayResend(w.op) || w.sender.twins.canceled(w.hash) {
		return
	}
	ctx, cancel := oneTry(ctx, longestSend)
	defer cancel()
	_, err := w.sender.submit(ctx, w.op, w.about(), true, w.guard)
	if _, ended := errors.AsType[*EndedError](err); !ended { // which the next look tells
		w.seen.resendErr = err
	}
}
