package userop

import (
	"context"
	"errors"
)

// readAgain makes an operation anew, up to where it is priced, that a service refused for what was
// remembered, perhaps: with what is read for it now, once. It reports whether that is another operation.
//
// One that was given away is made anew with its own nonce, so that one of both can land at most, unless the
// chain shows that another one used it; and only with higher fees, with which it may take the place of the
// first, of which it may be open whether it was accepted.
func (r *run) readAgain(ctx context.Context, err error) bool {
	failed, ok := errors.AsType[*Error](err)
	if !ok || r.reread || r.draft.Forget == nil || r.draft.Complete != nil || r.draft.Replaces != nil || !failed.Step.judges() {
		return false
	}
	_, ended := errors.AsType[*EndedError](err)
	gave := failed.Step == StepSend
	stays := (gave || len(r.given) > 0) && !ended
	if !r.draft.Forget(r.nonce.Reservation, failed.Err, stays) {
		return false
	}
	r.reread = true
	before := r.op
	r.op = &Operation{Sender: r.draft.Sender, CallData: r.draft.CallData}
	if stays {
		r.stays = &before.Nonce
	}
	if r.prepare(ctx) != nil || !r.readsOtherwise(before, stays) {
		r.op, r.stays = before, nil
		return false
	}
	r.anewFor(ctx, failed)
	r.refusal = failed.Err
	switch {
	case stays && gave:
		r.given = append(r.given, before)
		if MayBeAccepted(err) {
			r.doubted = failed
		}
	case !stays:
		r.given = nil
	}
	return true
}

// readsOtherwise reports whether what was read makes an operation that a service may judge otherwise.
func (r *run) readsOtherwise(before *Operation, stays bool) bool {
	switch {
	case !stays:
		return r.op.Nonce != before.Nonce || r.op.Fees() != before.Fees()
	case !r.draft.Fees.isZero():
		return false
	}
	return r.op.MaxFeePerGas.Gt(&before.MaxFeePerGas) && !r.op.MaxPriorityFeePerGas.Lt(&before.MaxPriorityFeePerGas)
}

// orDoubt is how the run failed or, where the operation before may have been accepted all the same, that it
// may.
func (r *run) orDoubt(err error) error {
	if _, ended := errors.AsType[*EndedError](err); err == nil || ended || r.doubted == nil || MayBeAccepted(err) {
		return err
	}
	told := *r.doubted
	told.Given = true
	told.Err = &uncertainError{err, "which was made anew of one that may have been accepted: wait for that one, or send the same bytes again"}
	return &told
}
