package userop

import (
	"context"
	"fmt"

	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/observe"
)

// complete is prepare for an operation that needs nothing but its signature.
func (r *run) complete(ctx context.Context) error {
	r.op = r.draft.Complete.Clone()
	group, reading := errgroup.WithContext(ctx)
	var nonce uint256.Int
	group.Go(readInto(reading, r, observe.Nonce, &nonce, r.nonce.Nonce))
	for _, check := range r.checks() {
		group.Go(r.checking(reading, check))
	}
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
