package userop

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/observe"
)

// prepare reads everything that does not depend on each other at once. The operation then lacks the limits
// that the caller did not give, and who pays; its signature is the dummy.
func (r *run) prepare(ctx context.Context) (err error) {
	if r.draft.Complete != nil {
		return r.complete(ctx)
	}
	group, reading := errgroup.WithContext(ctx)
	if r.stays != nil {
		r.op.Nonce = *r.stays
	} else {
		group.Go(readInto(reading, r, observe.Nonce, &r.op.Nonce, r.nonce.Nonce))
	}
	if r.draft.Compose != nil {
		group.Go(readInto(reading, r, observe.Check, &r.op.CallData, r.draft.Compose))
	}
	if r.draft.InitCode != nil {
		group.Go(readInto(reading, r, observe.Check, &r.op.InitCode, r.draft.InitCode))
	}
	source := r.sender.cfg.Fees
	if r.draft.FeeSource != nil {
		source = r.draft.FeeSource
	}
	switch {
	case !r.draft.Fees.isZero():
		r.op.setFees(r.draft.Fees)
	case source == nil:
		group.Go(func() error {
			return fmt.Errorf("%w: the bundler has no gas price; give fees or a fee source", ErrNoFees)
		})
	default:
		group.Go(func() (err error) {
			var fees Fees
			within, asking := r.begin(reading, observe.Fees)
			defer asking.Left(within)
			for t := (twice{ctx: within}); t.next(&err); {
				fees, err = source.Fees(within)
			}
			asking.End(within, observe.Result{Err: err})
			return r.useFees(fees, err)
		})
	}
	for _, check := range r.checks() {
		group.Go(r.checking(reading, check))
	}
	if err := group.Wait(); err != nil {
		return r.failed(StepPrepare, r.orWrongChain(ctx, err))
	}
	r.raiseFees()
	r.op.setGas(r.draft.Gas)
	if r.op.Signature, err = r.draft.Signer.DummySignature(r.op); err != nil {
		return r.failed(StepSign, err)
	}
	return nil
}

// checks are the draft's and, where it is not known yet, who the node and the bundler are.
func (r *run) checks() []func(ctx context.Context) error {
	return append(slices.Clip(r.draft.Checks), r.identities()...)
}

// identities ask who the node and the bundler are, where that is not known yet.
func (r *run) identities() (ask []func(ctx context.Context) error) {
	if r.draft.Identify != nil {
		ask = append(ask, r.draft.Identify)
	}
	if !r.sender.identified.Load() {
		ask = append(ask, r.sender.identify)
	}
	return ask
}

// orWrongChain is err, unless a service turns out to be of another chain: what else was read of that, such as
// an account that is not there, was told sooner and means nothing. Trouble that passes tells nothing either
// way.
func (r *run) orWrongChain(ctx context.Context, err error) error {
	if errors.Is(err, ErrWrongChain) || SafeToRetry(err) {
		return err
	}
	for _, ask := range r.identities() {
		if wrong := ask(ctx); errors.Is(wrong, ErrWrongChain) {
			return wrong
		}
	}
	return err
}

// readInto is a read whose value goes to field, a stage of that kind.
func readInto[T any](ctx context.Context, r *run, kind observe.Kind, field *T, read func(context.Context) (T, error)) func() error {
	return func() (err error) {
		within, reading := r.begin(ctx, kind)
		defer reading.Left(within)
		*field, err = read(within)
		reading.End(within, observe.Result{Err: err})
		return err
	}
}

// checking is a check as a stage.
func (r *run) checking(ctx context.Context, check func(context.Context) error) func() error {
	return func() error {
		within, checking := r.begin(ctx, observe.Check)
		defer checking.Left(within)
		err := check(within)
		checking.End(within, observe.Result{Err: err})
		return err
	}
}

// useFees takes the fees that the source proposes, with the draft's margins.
func (r *run) useFees(fees Fees, err error) error {
	if err != nil {
		return fmt.Errorf("gas price: %w", err)
	}
	if fees.MaxPriorityFeePerGas.Gt(&fees.MaxFeePerGas) {
		return fmt.Errorf("gas price: the service proposes a priority fee of %s wei above its maximum fee of %s wei", fees.MaxPriorityFeePerGas.Dec(), fees.MaxFeePerGas.Dec())
	}
	fees.MaxFeePerGas = addPercent(fees.MaxFeePerGas, r.draft.Margins.MaxFeePerGas)
	fees.MaxPriorityFeePerGas = addPercent(fees.MaxPriorityFeePerGas, r.draft.Margins.MaxPriorityFeePerGas)
	if fees.MaxPriorityFeePerGas.Gt(&fees.MaxFeePerGas) {
		return fmt.Errorf("gas price: with their margins the priority fee of %s wei is above the maximum fee of %s wei; raise that one too", fees.MaxPriorityFeePerGas.Dec(), fees.MaxFeePerGas.Dec())
	}
	r.op.setFees(fees)
	return nil
}

// identify asks the bundler, until it once answered right, which chain and EntryPoints it serves.
func (s *Sender) identify(ctx context.Context) error {
	s.Observer().Note(ctx, "bundler")
	bundler, ok := ability.Find[Identity](s.cfg.Bundler)
	switch {
	case !ok && s.cfg.UnidentifiedBundler:
		return nil
	case !ok:
		return fmt.Errorf("%w: the bundler (%T) does not say which chain it serves: a wrapper says what it wraps by a method Unwrap() userop.Bundler; UnidentifiedBundler in the configuration takes it as it is", ErrWrongChain, s.cfg.Bundler)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		var id uint64
		for t := (twice{ctx: ctx}); t.next(&err); {
			id, err = bundler.ChainID(ctx)
		}
		if err == nil && id != s.cfg.ChainID {
			err = fmt.Errorf("%w: the bundler serves chain %d, this client is for chain %d; use the URL of that chain's bundler, or mend ChainID in the configuration", ErrWrongChain, id, s.cfg.ChainID)
		}
		return err
	})
	group.Go(func() (err error) {
		var entryPoints []common.Address
		for t := (twice{ctx: ctx}); t.next(&err); {
			entryPoints, err = bundler.SupportedEntryPoints(ctx)
		}
		if err == nil && !slices.Contains(entryPoints, s.cfg.EntryPoint) {
			err = fmt.Errorf("%w: the bundler supports EntryPoints %v, not %s; use a bundler, or the URL of this one, that takes operations for it", ErrWrongChain, entryPoints[:min(len(entryPoints), 8)], s.cfg.EntryPoint)
		}
		return err
	})
	err := group.Wait()
	if err == nil {
		s.identified.Store(true)
	}
	return err
}
