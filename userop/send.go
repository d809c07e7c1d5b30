package userop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/observe"
)

const (
	// sendTries is how often the same signed bytes are handed to the bundler before giving up.
	sendTries = 3
	// longestSend bounds a try, and the pause that a bundler may ask for where the caller's time has no end.
	longestSend = 15 * time.Second
	// Sending earlier operations again takes longestSettle at most, and no more than this part of the
	// caller's time: the operation at hand is what it waits for. So many are sent at once.
	longestSettle = 5 * time.Second
	settleShare   = 4
	settleAtOnce  = 4
)

// send sends the signed operation. Its nonce is released when it is known what became of it.
func (r *run) send(ctx context.Context) (*Pending, error) {
	about := observe.About{Account: r.op.Sender, Hash: r.hash, Attempt: r.attempt}
	pending, err := r.sender.submit(ctx, r.op, about, false, r.draft.Guard)
	if err == nil {
		r.watch(pending)
	} else if MayBeAccepted(err) {
		r.nonce.Doubt(Doubt{Operation: r.op, Guard: r.draft.Guard})
	}
	if stuck := r.draft.Replaces; stuck != nil && (err == nil || MayBeAccepted(err)) {
		if r.draft.Cancels {
			r.sender.twins.cancel(stuck.hash, stuck.op)
		} else {
			r.sender.twins.restore(stuck.hash)
		}
	}
	return pending, err
}

// watch has what becomes of the operation end the reservation of the nonce.
func (r *run) watch(pending *Pending) {
	pending.reserved = r.nonce.Reservation
	pending.release = r.nonce.Release
	pending.doubt = func() { r.nonce.Doubt(Doubt{Operation: pending.op, Guard: r.draft.Guard}) }
	if shared, ok := r.nonce.Reservation.(*sharedNonce); ok {
		shared.sent = true
	}
}

// settle sends earlier operations of the account again of which it is open whether they were accepted. One
// that still is open after that is no reason to hold this one back: its nonce is its own.
func (r *run) settle(ctx context.Context) {
	doubts := r.nonce.Doubts()
	if len(doubts) == 0 {
		return
	}
	within := longestSettle
	if deadline, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(deadline)/settleShare)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(settleAtOnce)
	for _, doubt := range doubts {
		group.Go(func() error {
			hash := r.sender.hash(doubt.Operation)
			err := r.sender.heldBack(doubt, hash)
			if err == nil {
				err = r.sender.handOver(ctx, doubt.Operation, hash, true, doubt.Guard)
			}
			if doubt.Settled != nil {
				doubt.Settled(err)
			}
			r.sender.tell(ctx, observe.Settled, doubt.Operation, hash, 0, err)
			return nil
		})
	}
	_ = group.Wait() // what failed is told to each doubt
}

// heldBack returns an error for an operation in doubt that is not sent again: one that needs a guard and lost
// it, or was cancelled since.
func (s *Sender) heldBack(doubt Doubt, hash common.Hash) error {
	held := &heldBackError{sentBefore: true}
	switch {
	case s.twins.canceled(hash):
		held.err = errors.New("it was cancelled")
	case doubt.Guard == nil && !s.mayResend(doubt.Operation):
		held.err = errors.New("it needs a guard, and has none")
	default:
		return nil
	}
	return sendError(doubt.Operation, hash, held)
}

// landed returns an operation of the run that was given away and refused, if it landed all the same; nil for
// none. Its refusal was a claim, and one whose signer moved on may have landed just before that: the chain is
// asked once more before it is told that none was accepted.
func (r *run) landed(ctx context.Context, err error) *Pending {
	if r.draft.Renew == nil && len(r.given) == 0 || MayBeAccepted(err) {
		return nil
	}
	given := slices.Clone(r.given)
	_, ended := errors.AsType[*EndedError](err)
	if failed, ok := errors.AsType[*Error](err); ok && failed.Step == StepSend && !ended {
		given = append(given, failed.Operation)
	}
	for _, op := range given {
		if r.sender.judge(ctx, op, r.sender.hash(op), err, true, true) == nil {
			pending := r.sender.WatchOperation(op)
			r.watch(pending)
			return pending
		}
	}
	return nil
}

// release ends the reservation of a nonce whose operation was committed and surely not accepted.
func (r *run) release(err error) {
	if r.nonce.committed && !MayBeAccepted(err) {
		r.nonce.Release(errors.Is(err, ErrReplaced))
	}
}

// renew makes the operation anew after a refusal, up to where it is priced, if its draft says that it may
// pass then; err is what to tell where it does not.
func (r *run) renew(ctx context.Context, err error) error {
	if again, err := r.outbidAgain(ctx, err); again {
		return err
	}
	if r.readAgain(ctx, err) {
		return nil
	}
	failed, ok := errors.AsType[*Error](err)
	if !ok || r.draft.Renew == nil || MayBeAccepted(err) || !failed.Step.judges() {
		return err
	}
	// An operation that was given away is made anew with its own nonce, so that one of both can land at most,
	// unless the chain shows that another one used it. One that was not takes the nonce that is next by now.
	_, ended := errors.AsType[*EndedError](err)
	again, why := r.draft.Renew(ctx, r.op, failed.Err)
	nonce := r.op.Nonce
	if again = again && !r.renewed; again && (ended || failed.Step != StepSend && len(r.given) == 0) {
		if nonce, err = r.nonce.Nonce(ctx); err != nil {
			return r.failed(StepPrepare, afterFirst(failed.Err, err))
		}
	}
	if !again || ended && nonce == r.op.Nonce { // a nonce that is the draft's own
		told := *failed
		told.Err = why
		if MayBeAccepted(&told) {
			r.nonce.Doubt(Doubt{Operation: r.op, Guard: r.draft.Guard})
		}
		return &told
	}
	r.anewFor(ctx, failed)
	r.renewed, r.refusal = true, failed.Err
	if failed.Step == StepSend && !ended {
		r.given = append(r.given, r.op)
	} else if nonce != r.op.Nonce {
		r.given = nil
	}
	fees := r.op.Fees()
	r.op = r.op.Clone() // the error has the refused one
	r.op.Nonce = nonce
	return r.anew(fees)
}

// Resend hands a signed operation to the bundler, again if the way there failed: an operation is signed once,
// and a bundler that knows it already has accepted it. The bundler's hash must be ours.
//
// The operation is taken for one that was sent before: after any refusal its receipt and, with a
// [SenderConfig.Chain], the chain are asked. One that is on chain is success. One that the chain shows will
// never be included is an [*EndedError]; after any other refusal [MayBeAccepted] stays true.
//
// An operation that [SenderConfig.MayResend] refuses is not sent. [Sender.ResendGuarded] is for those.
func (s *Sender) Resend(ctx context.Context, op *Operation) (*Pending, error) {
	if op != nil && s.cfg.MayResend != nil {
		if err := s.cfg.MayResend(op); err != nil {
			return nil, &Error{Step: StepCheck, Sender: op.Sender, Err: err}
		}
	}
	return s.ResendGuarded(ctx, op, nil)
}

// SendSigned hands a signed operation to the bundler that was never sent before, such as one of
// [Sender.Build] that the caller has written down since. It is tried, and told about, as by [Sender.Send]; an
// operation that may have been sent already is for [Sender.Resend]. The guard may be nil; one that
// [SenderConfig.MayResend] refuses is not sent without.
func (s *Sender) SendSigned(ctx context.Context, op *Operation, guard Guard) (tx *Pending, err error) {
	if op == nil {
		return nil, &Error{Step: StepCheck, Err: errors.New("no operation to send")}
	}
	ctx, sending := s.Observer().BeginSend(ctx, observe.Send, observe.About{Account: op.Sender})
	defer func() { sending.End(ctx, observe.SendEnd(tx, err)) }()
	if guard == nil && !s.mayResend(op) {
		return nil, &Error{Step: StepCheck, Sender: op.Sender, Err: s.cfg.MayResend(op)}
	}
	return s.submit(ctx, op, s.about(op), false, guard)
}

// ResendGuarded is [Sender.Resend] with a guard that is asked before each time the operation is handed to the
// bundler, as [Draft].Guard is; it stands in for [SenderConfig.MayResend].
func (s *Sender) ResendGuarded(ctx context.Context, op *Operation, guard Guard) (tx *Pending, err error) {
	if op == nil {
		return nil, &Error{Step: StepCheck, Err: errors.New("no operation to send again: what failed before it was signed is to be sent anew")}
	}
	about := s.about(op)
	ctx, resending := s.Observer().BeginSend(ctx, observe.Resend, about)
	defer func() { resending.End(ctx, observe.SendEnd(tx, err)) }()
	return s.submit(ctx, op, about, true, guard)
}

// Guard is asked before each time that a signed operation is handed to a service. After an error of it, it is
// not.
type Guard func(ctx context.Context, op *Operation) error

// submit sends a signed operation; sentBefore says that it may have been sent already.
func (s *Sender) submit(ctx context.Context, op *Operation, about observe.About, sentBefore bool, guard Guard) (*Pending, error) {
	within, submitting := s.Observer().Begin(ctx, observe.Submit, about)
	defer submitting.Left(within)
	if err := s.handOver(within, op, about.Hash, sentBefore, guard); err != nil {
		submitting.End(within, observe.Result{Err: err})
		return nil, err
	}
	if !sentBefore {
		s.watcher.bring()
	}
	pending := s.Watch(about.Hash)
	pending.op, pending.guard, pending.sent = op, guard, s.Observer().Origin(ctx)
	if submitting.On() {
		submitting.End(within, observe.Result{Service: pending.Bundler()})
	}
	return pending, nil
}

// about is what is told of a signed operation.
func (s *Sender) about(op *Operation) observe.About {
	return observe.About{Account: op.Sender, Hash: s.hash(op)}
}

// tell tells of a moment of a signed operation.
func (s *Sender) tell(ctx context.Context, kind observe.Kind, op *Operation, hash common.Hash, try int, err error) {
	s.Observer().Tell(ctx, kind, observe.Moment{Account: op.Sender, Hash: hash, Attempt: try, Err: err})
}

// sendError is the error of an operation that was signed and could not be sent, nil for none.
func sendError(op *Operation, hash common.Hash, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Step: StepSend, Sender: op.Sender, Hash: hash, Operation: op, Given: true, Err: err}
}

func handOverError(op *Operation, hash common.Hash, sentBefore bool) *Error {
	return &Error{Step: StepSend, Sender: op.Sender, Hash: hash, Operation: op, Given: sentBefore}
}

// handOver hands a signed operation to the bundler: again where the failure passes by itself, where it is
// open whether the operation was accepted, which the same bytes tell, and where the chain does not bear a
// refusal out. sentBefore says that an earlier try may have reached the bundler. The error is an [*Error].
func (s *Sender) handOver(ctx context.Context, op *Operation, hash common.Hash, sentBefore bool, guard Guard) error {
	mayBeKnown := sentBefore
	var first error
	var failed *Error // once a try did
	for try := 1; ; try++ {
		held := ctx.Err() // who has given up already sends nothing
		if held == nil && guard != nil {
			held = guard(ctx, op)
		}
		if held != nil {
			failed = cmp.Or(failed, handOverError(op, hash, sentBefore))
			failed.Err = afterFirst(first, &heldBackError{err: held, sentBefore: mayBeKnown})
			if ctx.Err() == nil {
				s.tell(ctx, observe.Stopped, op, hash, try, held)
			}
			return failed
		}
		trying, done := oneTry(ctx, longestSend)
		answer, err := s.cfg.Bundler.SendUserOperation(s.handingOn(trying, op, guard), op, s.cfg.EntryPoint)
		done()
		if err == nil && answer != hash {
			err = fmt.Errorf("%w: the bundler knows the operation as %s, its hash here is %s", ErrWrongChain, answer, hash)
		}
		if err == nil {
			return nil
		}
		failed = cmp.Or(failed, handOverError(op, hash, sentBefore))
		delivered := mayBeDelivered(err)
		mayBeKnown = mayBeKnown || delivered
		failed.Given = failed.Given || !unsent(err)
		failed.Refused = !delivered && !temporary(err) && !unsent(err) && ownInclusion(err) != probable
		again := delivered || temporary(err)
		if failed.Refused && !mayBeKnown && try == 1 {
			again = !s.bearsOut(ctx, op)
		}
		again = again && (guard != nil || s.mayResend(op))
		if try == sendTries || !again || pauseAfter(ctx, err, try) != nil {
			if failed.Err = afterFirst(first, s.judge(ctx, op, hash, err, mayBeKnown, failed.Given)); failed.Err == nil {
				return nil
			}
			return failed
		}
		if first == nil {
			first = err
		}
		s.tell(ctx, observe.Retry, op, hash, try+1, err)
	}
}

// bearsOut reports whether a refusal can be believed: the chain, too, would refuse the operation now, or
// there is none to ask.
func (s *Sender) bearsOut(ctx context.Context, op *Operation) bool {
	if s.cfg.BearsOut == nil {
		return true
	}
	ctx, cancel := oneTry(ctx, longestPoll)
	defer cancel()
	refused, err := s.cfg.BearsOut(ctx, op)
	return err == nil && refused
}

// mayResend reports whether the operation is handed out again though no guard watches over it: one that needs
// a guard may have lost it with a wrapper around its signer.
func (s *Sender) mayResend(op *Operation) bool {
	return s.cfg.MayResend == nil || s.cfg.MayResend(op) == nil
}

// pauseAfter waits before the next try, at least as long as the service asks for. It is an error, at once,
// where that is longer than there is time.
func pauseAfter(ctx context.Context, failure error, try int) error {
	pause := max(jitter(time.Duration(try)*firstPoll), retryDelay(failure))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause || !ok && pause > longestSend {
		return failure
	}
	return sleep(ctx, pause)
}

// judge judges how sending failed: a refusal, which may be about the operation's own inclusion, since a try
// before it may have been accepted, or a copy of the request that something between us and the bundler made;
// or an answer that leaves that open. What a bundler was given may land whatever it said: the receipt and the
// chain are asked before anything is concluded. It returns nil for an operation that was accepted.
func (s *Sender) judge(ctx context.Context, op *Operation, hash common.Hash, failure error, sentBefore, given bool) error {
	likely := ownInclusion(failure)
	if likely == impossible && !sentBefore && (!given || s.cfg.BearsOut == nil) {
		return failure
	}
	ctx, cancel := context.WithTimeout(ctx, longestPoll)
	defer cancel()
	asking, done := oneTry(ctx, longestPoll)
	receipt, err := s.cfg.Bundler.UserOperationReceipt(asking, hash)
	done()
	if err == nil && s.contradicts(receipt, hash, op) == nil {
		return nil
	}
	open := ErrNotFound
	if s.cfg.Chain != nil {
		_, open = s.evidence().fate(ctx, op, hash, s.cfg.Confirmations)
	}
	ended, over := errors.AsType[*EndedError](open)
	switch {
	case open == nil, over && s.twins.has(hash, ended.By):
		return nil
	case over:
		return &refusedError{refusal: failure, ended: ended}
	case mayBeDelivered(failure):
		return failure
	case sentBefore:
		return &uncertainError{failure, "an earlier try may have been accepted: its answer got lost"}
	case likely != probable && errors.Is(open, ErrNotFound):
		if s.bearsOut(ctx, op) {
			return failure
		}
		return &uncertainError{failure, "which is the bundler's word alone, the node finds nothing wrong with it: send the same bytes again, or another operation with this nonce"}
	}
	return &uncertainError{failure, "it may be about this very operation, sent twice on its way: wait for it, or send the same bytes again"}
}
