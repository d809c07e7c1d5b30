package userop

import (
	"context"
	"errors"
	"fmt"

	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"
)

// complete is prepare for an operation that needs nothing but its signature.
func (r *run) complete(ctx context.Context) error {
	r.op = r.draft.Complete.Clone()
	group, reading := errgroup.WithContext(ctx)
	var nonce uint256.Int
	group.Go(readInto(reading, &nonce, r.nonce.Nonce))
	r.judge(reading, group)
	err := group.Wait()
	if err == nil && nonce != r.op.Nonce {
		err = fmt.Errorf("the nonce is %s, that of the complete operation %s", nonce.Hex(), r.op.Nonce.Hex())
	}
	if err != nil {
		return r.failed(StepPrepare, err)
	}
	return nil
}

// judgeComplete holds an operation whose price stands against what the draft allows.
func (r *run) judgeComplete() error {
	err := r.draft.Caps.check(r.op)
	if err == nil && r.draft.Accept != nil {
		err = r.draft.Accept(r.op)
	}
	if err != nil {
		return r.failed(StepCheck, err)
	}
	return nil
}

// Outcome tells how the chain ended a signed operation, as far as it shows that now: the error matches
// [ErrNotFound] while the operation may still land, and any other one means that it could not be told. It
// sends nothing and does not wait; [Pending.Wait] does. It needs [SenderConfig].Chain.
func (s *Sender) Outcome(ctx context.Context, op *Operation) (Outcome, error) {
	if s.cfg.Chain == nil {
		return Outcome{}, errors.New("userop: what became of an operation is for a Chain to show; name one in the SenderConfig")
	}
	receipt, err := s.fate(ctx, op, s.hash(op), s.cfg.Confirmations)
	if ended, over := errors.AsType[*EndedError](err); over {
		return Outcome{Ended: ended}, nil
	}
	return Outcome{Receipt: receipt}, err
}
