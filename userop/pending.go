package userop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
)

// Pending is a sent operation.
type Pending struct {
	sender *Sender
	hash   common.Hash
	op     *Operation
	// release ends the reservation of the nonce.
	release func(used bool)
}

// Watch returns the pending operation of a hash, to wait for one that another process sent.
func (s *Sender) Watch(hash common.Hash) *Pending {
	return &Pending{sender: s, hash: hash, release: func(bool) {}}
}

// Hash returns the userOpHash.
func (p *Pending) Hash() common.Hash { return p.hash }

// Operation returns the signed operation, nil if it was made by [Sender.Watch]. It must not be changed.
func (p *Pending) Operation() *Operation { return p.op }

const (
	firstPoll = 200 * time.Millisecond
	lastPoll  = 2 * time.Second
	// longestPoll bounds a question, with room for a bundler that is slow: one that is never answered, on a
	// connection that died unnoticed, must not take the whole wait.
	longestPoll = 30 * time.Second
)

// Wait asks the bundler for the receipt, soon at first and less often later, until the operation is included
// or ctx ends. A nil error means that it was included and its call succeeded. A call that reverted is a
// [*RevertError], an operation that the bundler gave up an error matching [ErrDropped], and any other end of
// the wait a [*WaitError]. A revert comes with its receipt. Without a deadline in ctx,
// [SenderConfig].WaitTimeout ends the wait.
func (p *Pending) Wait(ctx context.Context) (*Receipt, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.sender.cfg.WaitTimeout)
		defer cancel()
	}
	start := time.Now()
	waker := waker{p.settled()}
	var last error
	ended := func(err error) error {
		return &WaitError{Hash: p.hash, Waited: time.Since(start), Last: last, Err: err}
	}
	for pause := firstPoll; ; pause = min(pause*3/2, lastPoll) {
		told, err := waker.sleep(ctx, jitter(pause))
		if err != nil {
			return nil, ended(err)
		}
		receipt, err := p.receipt(ctx)
		switch {
		case err == nil && receipt.UserOpHash != p.hash:
			return nil, ended(fmt.Errorf("the bundler answered with the receipt of %s", receipt.UserOpHash))
		case err == nil:
			return p.outcome(receipt)
		case errors.Is(err, ErrNotFound):
			last = nil
			if (told || pause == lastPoll) && p.dropped(ctx) {
				p.release(false)
				return nil, fmt.Errorf("%w: %s", ErrDropped, p.hash)
			}
		case ctx.Err() == nil && permanent(err):
			return nil, ended(err)
		case ctx.Err() == nil:
			last = err
		}
	}
}

// receipt asks the bundler for the receipt once.
func (p *Pending) receipt(ctx context.Context) (*Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, longestPoll)
	defer cancel()
	return p.sender.cfg.Bundler.UserOperationReceipt(ctx, p.hash)
}

// permanent reports whether asking again for a receipt is pointless.
func permanent(err error) bool {
	var judged interface{ Temporary() bool }
	return errors.As(err, &judged) && !judged.Temporary()
}

// dropped asks a bundler that can tell whether it gave the operation up. It looks for a receipt once more,
// since an operation leaves the bundler's memory when it is included, too.
func (p *Pending) dropped(ctx context.Context) bool {
	bundler, ok := ability.Find[DropReporter](p.sender.cfg.Bundler)
	if !ok {
		return false
	}
	asking, cancel := context.WithTimeout(ctx, longestPoll)
	defer cancel()
	if dropped, err := bundler.UserOperationDropped(asking, p.hash); err != nil || !dropped {
		return false
	}
	_, err := p.receipt(ctx)
	return errors.Is(err, ErrNotFound)
}

func (p *Pending) outcome(receipt *Receipt) (*Receipt, error) {
	p.release(true)
	if !receipt.Success {
		return receipt, p.sender.revertError(receipt)
	}
	return receipt, nil
}

// revertError is the error of an operation that was included and failed.
func (s *Sender) revertError(receipt *Receipt) *RevertError {
	e := &RevertError{Receipt: receipt, Revert: contracts.DecodeRevert(receipt.RevertData)}
	if s.cfg.Explain != nil {
		e.Cause = s.cfg.Explain(receipt)
	}
	return e
}

// jitter spreads d by a tenth either way, so that many waits do not poll in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	_, err := new(waker).sleep(ctx, d)
	return err
}

// waker wakes a sleeper early, once: when settled is closed. Nil never is.
type waker struct{ settled <-chan struct{} }

// sleep sleeps for d, or less if the sleeper is told to wake.
func (w *waker) sleep(ctx context.Context, d time.Duration) (told bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-w.settled:
		w.settled = nil
		return true, nil
	case <-timer.C:
		return false, nil
	}
}

// settled is closed when there is something to ask the bundler for, if it tells.
func (p *Pending) settled() <-chan struct{} {
	if bundler, ok := ability.Find[Notifier](p.sender.cfg.Bundler); ok {
		return bundler.Settled(p.hash)
	}
	return nil
}
