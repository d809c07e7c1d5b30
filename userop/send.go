package userop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// sendTries is how often the same signed bytes are handed to the bundler before giving up.
const sendTries = 3

// send sends the signed operation. Its nonce is released when it is known what became of it.
func (r *run) send(ctx context.Context) (*Pending, error) {
	pending, err := r.sender.submit(ctx, r.op, false)
	switch {
	case err == nil:
		pending.release = r.nonce.Release
	case !MayBeAccepted(err):
		r.nonce.Release(false)
	}
	return pending, err
}

// Resend hands a signed operation to the bundler, again if the way there failed: an operation is signed once,
// and a bundler that knows it already has accepted it. The bundler's hash must be ours.
//
// The operation is taken for one that was sent before. One that is on chain is refused, its nonce being used:
// then it is looked for, and is success. After any other refusal [MayBeAccepted] stays true.
func (s *Sender) Resend(ctx context.Context, op *Operation) (*Pending, error) {
	if op == nil {
		return nil, &Error{Step: StepCheck, Err: errors.New("no operation to send again: what failed before it was signed is to be sent anew")}
	}
	return s.submit(ctx, op, true)
}

// submit sends a signed operation; sentBefore says that it may have been sent already.
func (s *Sender) submit(ctx context.Context, op *Operation, sentBefore bool) (*Pending, error) {
	hash := s.hash(op)
	answer, err := s.sendBytes(ctx, op, hash, sentBefore)
	if err == nil && answer != hash {
		err = fmt.Errorf("%w: the bundler knows the operation as %s, its hash here is %s", ErrWrongChain, answer, hash)
	}
	if err != nil {
		return nil, &Error{Step: StepSend, Sender: op.Sender, Hash: hash, Operation: op, Err: err}
	}
	s.cfg.Logger.DebugContext(ctx, "user operation sent", "sender", op.Sender, "hash", hash)
	pending := s.Watch(hash)
	pending.op = op
	return pending, nil
}

// sendBytes tries to send, and returns the hash that the bundler knows the operation by. mayBeKnown says that
// an earlier try may have reached the bundler.
func (s *Sender) sendBytes(ctx context.Context, op *Operation, hash common.Hash, mayBeKnown bool) (common.Hash, error) {
	for try := 1; ; try++ {
		answer, err := s.cfg.Bundler.SendUserOperation(ctx, op, s.cfg.EntryPoint)
		if err == nil {
			return answer, nil
		}
		if try == sendTries || !temporary(err) || sleep(ctx, jitter(time.Duration(try)*firstPoll)) != nil {
			if mayBeKnown && !mayBeDelivered(err) {
				return s.includedOrUncertain(ctx, hash, err)
			}
			return common.Hash{}, err
		}
		mayBeKnown = mayBeKnown || mayBeDelivered(err)
		s.cfg.Logger.DebugContext(ctx, "sending user operation again", "sender", op.Sender, "try", try, "error", err)
	}
}

// includedOrUncertain judges a refusal that came after an answer had got lost. It may be about the
// operation's own inclusion, which used its nonce up: then there is a receipt, or at least a doubt.
func (s *Sender) includedOrUncertain(ctx context.Context, hash common.Hash, refusal error) (common.Hash, error) {
	if _, err := s.cfg.Bundler.UserOperationReceipt(ctx, hash); err != nil {
		return common.Hash{}, &uncertainError{refusal}
	}
	return hash, nil
}
