package userop

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/observe"
)

// sponsorOrEstimate fills the gas limits and, for a sponsored draft, paymasterAndData: by the paymaster, or
// by the bundler's estimate. What came of it is held against what the draft allows.
func (r *run) sponsorOrEstimate(ctx context.Context) error {
	if r.draft.Complete != nil {
		return r.judgeComplete()
	}
	step, err := StepEstimate, error(nil)
	if r.draft.Sponsored {
		if step, err = r.sponsor(ctx); startsOver(err) {
			r.op.PaymasterAndData = nil
			r.op.setGas(r.draft.Gas)
			first := err
			step, err = r.sponsor(ctx)
			err = afterFirst(first, err)
		}
	} else {
		err = r.estimate(ctx)
	}
	var unsponsored error
	if r.draft.OrSelf && errors.Is(err, ErrNotSponsored) {
		unsponsored = err
		r.sender.Observer().Tell(ctx, observe.Unsponsored, observe.Moment{Account: r.op.Sender, Attempt: r.attempt, Err: err})
		r.op.PaymasterAndData = nil
		r.op.setGas(r.draft.Gas)
		step, err = StepEstimate, r.estimate(ctx)
	}
	if err != nil {
		return r.failed(step, afterFirst(unsponsored, err))
	}
	err = r.draft.Caps.check(r.op)
	if err == nil && len(r.op.PaymasterAndData) == 0 {
		err = r.draft.checkSelfPaid(r.op)
	}
	if err == nil && r.draft.Accept != nil {
		err = r.draft.Accept(r.op)
	}
	if err != nil {
		return r.failed(StepCheck, afterFirst(unsponsored, err))
	}
	return nil
}

// startsOver reports whether a sponsorship has to begin anew: the service that began it, of several, cannot
// finish it, and another one's would not fit the limits that were estimated.
func startsOver(err error) bool {
	if err == nil {
		return false
	}
	var judged interface{ StartOver() bool }
	return errors.As(err, &judged) && judged.StartOver()
}

// sponsor fills paymasterAndData and the limits. A paymaster proposes the limits together with its signature,
// which covers them. Where the caller has a say in them, or the paymaster proposes none, it is asked once
// more when they stand.
func (r *run) sponsor(ctx context.Context) (Step, error) {
	if r.draft.Gas.complete() {
		return StepSponsor, r.sponsorFixed(ctx)
	}
	// A paymaster knows nothing of state overrides: with them, the bundler estimates.
	proposed, err := r.askSponsor(ctx, len(r.draft.Overrides) == 0)
	if err != nil {
		return StepSponsor, err
	}
	// The answer stands in for the final one while limits are estimated.
	r.op.PaymasterAndData = proposed.PaymasterAndData
	gas, ok := proposed.gas()
	ok = ok && len(r.draft.Overrides) == 0
	if ok && r.draft.leavesGas() {
		r.op.setGas(gas)
		return "", nil
	}
	if ok {
		r.op.setGas(r.draft.limits(gas))
	} else if err := r.estimate(ctx); err != nil {
		return StepEstimate, err
	}
	return StepSponsor, r.sponsorFixed(ctx)
}

// estimate fills the limits that the caller did not give from the bundler's estimate.
func (r *run) estimate(ctx context.Context) error {
	if r.draft.Gas.complete() {
		return nil
	}
	var gas Gas
	var err error
	ctx, estimating := r.begin(ctx, observe.Estimate)
	defer estimating.Left(ctx)
	for t := (twice{ctx: ctx}); t.next(&err); {
		gas, err = r.sender.cfg.Bundler.EstimateUserOperationGas(ctx, r.op, r.sender.cfg.EntryPoint, r.draft.Overrides)
	}
	if estimating.End(ctx, observe.Result{Err: err}); err != nil {
		return err
	}
	r.op.setGas(r.draft.limits(gas))
	return nil
}

// limits are the caller's limits and, where it gave none, what a service proposes plus the margin.
func (d *Draft) limits(proposed Gas) Gas {
	gas := d.Gas
	for _, field := range []struct {
		limit    *uint256.Int
		proposed uint256.Int
		margin   uint
	}{
		{&gas.CallGasLimit, proposed.CallGasLimit, d.Margins.CallGasLimit},
		{&gas.VerificationGasLimit, proposed.VerificationGasLimit, d.Margins.VerificationGasLimit},
		{&gas.PreVerificationGas, proposed.PreVerificationGas, d.Margins.PreVerificationGas},
	} {
		if field.limit.IsZero() {
			*field.limit = addPercent(field.proposed, field.margin)
		}
	}
	return gas
}

// sponsorFixed asks the paymaster to sign the limits as they stand.
func (r *run) sponsorFixed(ctx context.Context) error {
	r.op.PaymasterAndData = nil
	answer, err := r.askSponsor(ctx, false)
	if err != nil {
		return err
	}
	r.op.PaymasterAndData = answer.PaymasterAndData
	return sameLimits(r.op, &answer)
}

func (r *run) askSponsor(ctx context.Context, calculate bool) (answer Sponsorship, err error) {
	ctx, asking := r.begin(ctx, observe.Sponsor)
	defer asking.Left(ctx)
	for t := (twice{ctx: ctx}); t.next(&err); {
		answer, err = r.sender.cfg.Paymaster.SponsorUserOperation(ctx, r.op, SponsorRequest{
			EntryPoint:         r.sender.cfg.EntryPoint,
			ChainID:            r.sender.cfg.ChainID,
			CalculateGasLimits: calculate,
			FeeToken:           r.draft.FeeToken,
			Context:            r.draft.PaymasterContext,
		})
	}
	if err == nil {
		err = namesPaymaster(answer.PaymasterAndData)
	}
	asking.End(ctx, observe.Result{Err: err})
	return answer, err
}

// namesPaymaster returns an error for paymasterAndData with which nobody sponsors: to the EntryPoint the zero
// address means that the account pays.
func namesPaymaster(data []byte) error {
	switch {
	case len(data) < common.AddressLength:
		return fmt.Errorf("%w: the paymaster answered with %d bytes of paymasterAndData, an address alone has %d", ErrNotSponsored, len(data), common.AddressLength)
	case common.BytesToAddress(data[:common.AddressLength]) == (common.Address{}):
		return fmt.Errorf("%w: the paymaster answered with the zero address for a paymaster, so that the account would pay", ErrNotSponsored)
	}
	return nil
}

// gas returns the limits that the answer proposes, false if it leaves one out.
func (a *Sponsorship) gas() (Gas, bool) {
	if a.CallGasLimit == nil || a.VerificationGasLimit == nil || a.PreVerificationGas == nil {
		return Gas{}, false
	}
	return Gas{CallGasLimit: *a.CallGasLimit, VerificationGasLimit: *a.VerificationGasLimit, PreVerificationGas: *a.PreVerificationGas}, true
}

// sameLimits returns an error if the paymaster signed other limits than the operation has.
func sameLimits(op *Operation, answer *Sponsorship) error {
	for _, field := range []struct {
		name          string
		limit, answer *uint256.Int
	}{
		{"callGasLimit", &op.CallGasLimit, answer.CallGasLimit},
		{"verificationGasLimit", &op.VerificationGasLimit, answer.VerificationGasLimit},
		{"preVerificationGas", &op.PreVerificationGas, answer.PreVerificationGas},
	} {
		if field.answer != nil && !field.limit.Eq(field.answer) {
			return fmt.Errorf("the paymaster changed %s from %s to %s although it was fixed", field.name, field.limit.Dec(), field.answer.Dec())
		}
	}
	return nil
}
