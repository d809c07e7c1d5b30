package userop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// checkReplaced returns an error for a draft that cannot take the place of what it names.
func (d *Draft) checkReplaced() error {
	switch stuck := d.Replaces; {
	case stuck == nil && d.Cancels:
		return errors.New("nothing to cancel")
	case stuck == nil:
		return nil
	case stuck.op == nil:
		return fmt.Errorf("operation %s is known by its hash alone; to replace it takes its bytes", stuck.hash)
	case stuck.op.Sender != d.Sender:
		return fmt.Errorf("an operation of %s cannot take the place of one of %s", d.Sender, stuck.op.Sender)
	}
	return nil
}

// bidAbove sets the least fees with which a bundler takes the run's operation in the place of the other one.
func (r *run) bidAbove(stuck *Pending) {
	r.least = r.sender.twins.bid(stuck.hash, stuck.op).outbidding(replacePercent)
}

// raiseFees raises the fees to the least ones, unless the caller gave them.
func (r *run) raiseFees() {
	if r.draft.Replaces != nil && r.draft.Fees.isZero() {
		r.op.setFees(r.op.Fees().atLeast(r.least))
	}
}

// join notes what the signed operation takes the place of.
func (r *run) join(hash common.Hash) {
	for _, before := range r.given {
		r.sender.twins.join(hash, r.op, r.sender.hash(before), before)
	}
	switch stuck := r.draft.Replaces; {
	case stuck == nil:
	case r.draft.Cancels:
		r.sender.twins.raise(stuck.hash, stuck.op, r.op.Fees())
	default:
		r.sender.twins.join(hash, r.op, stuck.hash, stuck.op)
	}
}

// FeeDemand is what a refusal says of the fees that would have been enough. Errors of a [Bundler] tell it by
// a method FeeDemand() (FeeDemand, bool).
type FeeDemand struct {
	// AtLeast are the least fees, zero where it does not say.
	AtLeast Fees
	// Percent is how far above those of the operation in the way, 0 where it does not say.
	Percent uint
}

// demanded returns the fees that a refusal of a replacement asks for, false where it does not say, or where
// they were bid already.
func (r *run) demanded(refusal error) (Fees, bool) {
	var told interface{ FeeDemand() (FeeDemand, bool) }
	if r.draft.Replaces == nil || !r.draft.Fees.isZero() || r.outbid || !errors.As(refusal, &told) {
		return Fees{}, false
	}
	demand, ok := told.FeeDemand()
	if !ok {
		return Fees{}, false
	}
	stuck := r.draft.Replaces
	fees := r.op.Fees().atLeast(demand.AtLeast)
	if demand.Percent > replacePercent && demand.Percent <= mostDemanded {
		fees = fees.atLeast(r.sender.twins.bid(stuck.hash, stuck.op).outbidding(demand.Percent))
	}
	if fees.MaxPriorityFeePerGas.Gt(&fees.MaxFeePerGas) {
		fees.MaxFeePerGas = fees.MaxPriorityFeePerGas
	}
	return fees, fees != r.op.Fees()
}

// mostDemanded bounds the percentage that a refusal's words are believed.
const mostDemanded = 100

// outbidAgain makes an operation anew that a bundler did not take in the place of another one, with the fees
// that it asks for, once. All of them have one nonce.
func (r *run) outbidAgain(ctx context.Context, err error) (again bool, failed error) {
	refused, ok := errors.AsType[*Error](err)
	if !ok || refused.Step != StepSend {
		return false, err
	}
	fees, ok := r.demanded(refused.Err)
	if _, ended := errors.AsType[*EndedError](err); !ok || ended {
		return false, err
	}
	r.anewFor(ctx, refused)
	r.outbid, r.refusal, r.given = true, refused.Err, append(r.given, r.op)
	return true, r.anew(fees)
}

// anew begins the operation anew, up to where it is priced.
func (r *run) anew(fees Fees) (err error) {
	r.op = r.op.Clone() // an error may have the one before
	r.op.setFees(fees)
	r.op.PaymasterAndData = nil
	r.op.setGas(r.draft.Gas)
	if r.op.Signature, err = r.draft.Signer.DummySignature(r.op); err != nil {
		return r.failed(StepSign, err)
	}
	return nil
}

// sharedNonce is the nonce of an operation that takes the place of another one, together with that one's own
// reservation. That the operation was not sent releases nothing: the other one may land. It implements
// [Reservation].
type sharedNonce struct {
	nonce uint256.Int
	// own is the draft's, and of that of the operation whose place is taken; each nil for none.
	own, of Reservation
	sent    bool
}

func (n *sharedNonce) each(do func(Reservation) error) error {
	for _, r := range []Reservation{n.of, n.own} {
		if r == nil {
			continue
		}
		if err := do(r); err != nil {
			return err
		}
	}
	return nil
}

// Nonce implements [Reservation].
func (n *sharedNonce) Nonce(context.Context) (uint256.Int, error) { return n.nonce, nil }

// Commit implements [Reservation].
func (n *sharedNonce) Commit(op *Operation, hash common.Hash) error {
	return n.each(func(r Reservation) error { return r.Commit(op, hash) })
}

// Release implements [Reservation].
func (n *sharedNonce) Release(used bool) {
	if used || n.sent {
		_ = n.each(func(r Reservation) error { r.Release(used); return nil })
	}
}

// Doubt implements [Reservation].
func (n *sharedNonce) Doubt(doubt Doubt) {
	if n.of != nil {
		n.of.Doubt(doubt)
	} else if n.own != nil {
		n.own.Doubt(doubt)
	}
}

// Doubts implements [Reservation]: what is replaced is not sent again before.
func (*sharedNonce) Doubts() []Doubt { return nil }

// Operations returns the signed operation and those with its nonce and for its purpose, any of which may land
// instead: what it replaced, or what replaced it since, as far as this process knows. The newest comes first.
// They are what to store, for [Sender.WatchOperation] after a restart; they must not be changed.
func (p *Pending) Operations() []*Operation {
	if p.op == nil {
		return nil
	}
	ops := []*Operation{p.op}
	for _, m := range p.sender.twins.of(p.hash) {
		ops = append(ops, m.op)
	}
	return ops
}

// Look asks the chain once how it ended the operation, or the one of its [Pending.Operations] that landed. An
// error matching [ErrNotFound] says that one may still land; any other leaves it open. What a receipt shows
// is what the newest block does, without logs and revert data: Wait tells the rest.
func (p *Pending) Look(ctx context.Context) (Outcome, error) {
	switch {
	case p.known != nil:
		return *p.known, nil
	case p.sender.cfg.Chain == nil:
		return Outcome{}, errors.New("userop: what became of an operation is for a Chain to show; name one in the SenderConfig")
	case p.op == nil:
		return Outcome{}, fmt.Errorf("operation %s is known by its hash alone: Wait can look for its inclusion", p.hash)
	}
	ctx, cancel := oneTry(ctx, longestPoll)
	defer cancel()
	others, chain := p.sender.twins.of(p.hash), p.sender.evidence()
	receipt, err := chain.fate(ctx, p.op, p.hash, p.sender.cfg.Confirmations)
	ended, over := errors.AsType[*EndedError](err)
	if !over {
		return Outcome{Receipt: receipt}, err
	}
	for _, m := range others {
		switch {
		case ended.By == m.hash:
			receipt, err := chain.fate(ctx, m.op, m.hash, p.sender.cfg.Confirmations)
			if _, moved := errors.AsType[*EndedError](err); moved {
				err = fmt.Errorf("operation %s landed, and does not show any more: %w", m.hash, err)
			}
			return Outcome{Receipt: receipt}, err
		case ended.By == common.Hash{}:
			if _, err := chain.fate(ctx, m.op, m.hash, p.sender.cfg.Confirmations); !errors.Is(err, ErrExpired) {
				return Outcome{}, fmt.Errorf("operation %s: %w", m.hash, err)
			}
		}
	}
	return Outcome{Ended: ended}, nil
}

// mostWatched is how many operations of one purpose are asked for at once. Any other that lands is found by
// its nonce.
const mostWatched = 8

// only is the pending operation without those that may land instead.
func (p *Pending) only() *Pending {
	return &Pending{sender: p.sender, hash: p.hash, op: p.op, guard: p.guard, single: true, release: func(bool) {}, doubt: func() {}}
}

// others are the operations that may land instead of this one, the newest first.
func (p *Pending) others() (others []*Pending) {
	if p.op == nil || p.single {
		return nil
	}
	for _, m := range p.sender.twins.of(p.hash) {
		others = append(others, (&Pending{sender: p.sender, hash: m.hash, op: m.op, guard: p.guard}).only())
	}
	return others
}

// instead are the others that the end of the wait's own operation leaves to wait for, also if they were made
// since it began: the one that used its nonce, or those whose time is longer.
func (w *wait) instead() []*Pending {
	ended, ok := errors.AsType[*EndedError](w.err)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(w.others(), func(other *Pending) bool {
		return ended.By != common.Hash{} && ended.By != other.hash
	})
}

// waitEach is each for who waits.
func (w *wait) waitEach(all []*Pending, opts []WaitOption) (*Receipt, error) {
	over := make(chan func() (*Receipt, error), 1)
	w.each(all, opts, func(conclude func() (*Receipt, error)) { over <- conclude })
	return (<-over)()
}

// each waits for the first of several operations of one purpose that lands, or until none can; the waits for
// the others end with it. It returns at once, and done is called with what a wait for all of them returns.
func (w *wait) each(all []*Pending, opts []WaitOption, done func(conclude func() (*Receipt, error))) {
	f := &firstOf{wait: w, all: all, opts: opts, done: done}
	f.racing, f.stop = context.WithCancel(w.ctx)
	f.mu.Lock()
	first := f.more()
	f.mu.Unlock()
	f.begin(first)
}

// firstOf are the waits for several operations of one purpose.
type firstOf struct {
	*wait  // on whose behalf they wait
	opts   []WaitOption
	done   func(conclude func() (*Receipt, error))
	racing context.Context
	stop   context.CancelFunc

	mu     sync.Mutex
	all    []*Pending // as far as they are known
	begun  int        // so many of them were, or are waited for, of which open are
	open   int
	lapsed *EndedError // whose time was over last
	failed error
	ended  bool
}

func (f *firstOf) begin(some []*Pending) {
	opts := f.opts
	if !f.deadline.IsZero() {
		opts = append(slices.Clone(opts), AtMost(max(time.Until(f.deadline), 1)))
	}
	for _, one := range some {
		one.onEnd(f.racing, opts, func(ending func() (*Receipt, error)) {
			receipt, err := ending() // which nobody settles
			next, conclude := f.hear(one, receipt, err)
			if conclude != nil {
				f.stop()
				f.done(conclude)
			}
			f.begin(next)
		})
	}
}

// more are the next ones to wait for, as many as are asked for at once.
func (f *firstOf) more() []*Pending {
	next := f.all[f.begun:min(f.begun+mostWatched, len(f.all))]
	f.begun += len(next)
	f.open += len(next)
	return slices.Clone(next)
}

// hear takes how one of the waits ended, and returns which others to wait for then, or what all of them come
// to once that is known.
func (f *firstOf) hear(one *Pending, receipt *Receipt, err error) (next []*Pending, conclude func() (*Receipt, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil, nil
	}
	defer func() { f.ended = conclude != nil }()
	f.open--
	ended, isOver := errors.AsType[*EndedError](err)
	switch {
	case receipt != nil:
		return nil, f.is(Outcome{Receipt: receipt})
	case isOver && ended.By != common.Hash{}:
		f.learn(ended.By)
		switch by := slices.IndexFunc(f.all, func(other *Pending) bool { return other.hash == ended.By }); {
		case by < 0:
			return nil, f.is(Outcome{Ended: f.endedLike(ended)})
		case by >= f.begun:
			f.all[by], f.all[f.begun] = f.all[f.begun], f.all[by]
			next = []*Pending{f.all[f.begun]}
			f.begun++
			f.open++
		} // or else it tells itself
	case isOver:
		if f.lapsed == nil || ended.Until > f.lapsed.Until {
			f.lapsed = ended
		}
	case f.failed == nil || one.hash == f.hash:
		f.failed = err
	}
	switch {
	case f.open > 0:
		return next, nil
	case f.failed != nil:
		return nil, f.inVain
	}
	f.learn(common.Hash{})
	if next = f.more(); len(next) > 0 {
		return next, nil
	}
	if f.lapsed == nil {
		return nil, f.inVain
	}
	return nil, f.is(Outcome{Ended: f.endedLike(f.lapsed)})
}

// learn adds those that were made since to all, and the wait's own where it is the one that landed.
func (f *firstOf) learn(landed common.Hash) {
	for _, other := range append(f.others(), f.only()) {
		known := slices.ContainsFunc(f.all, func(known *Pending) bool { return known.hash == other.hash })
		if !known && (other.hash != f.hash || other.hash == landed) {
			f.all = append(f.all, other)
		}
	}
}

func (f *firstOf) is(outcome Outcome) func() (*Receipt, error) {
	return func() (*Receipt, error) { return f.outcome(f.ctx, outcome, time.Since(f.start), f.confirmations) }
}

// inVain is what waits come to of which none was told how its operation ended.
func (f *firstOf) inVain() (*Receipt, error) {
	told := &WaitError{Hash: f.hash, Waited: time.Since(f.start), Err: ErrUnconfirmed} // each says that another one landed
	if waited, ok := errors.AsType[*WaitError](f.failed); ok {
		*told = *waited
		told.Hash, told.Waited = f.hash, time.Since(f.start)
	} else if f.failed != nil {
		told.Err = f.failed
	}
	if time.Since(f.start) >= doubtfulAfter && (told.Seen == nil || told.Lost) {
		f.doubt()
	}
	return nil, told
}

// endedLike says of this operation what ended another one with its nonce.
func (p *Pending) endedLike(ended *EndedError) *EndedError {
	like := *ended
	like.Hash = p.hash
	return &like
}
