package userop

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// price fills gas limits and, for a sponsored draft, paymasterAndData. It returns the step that failed.
func (s *Sender) price(ctx context.Context, draft *Draft, op *Operation) (Step, error) {
	if draft.Sponsored {
		step, err := s.sponsor(ctx, draft, op)
		if !draft.OrSelf || !errors.Is(err, ErrNotSponsored) {
			return step, err
		}
		s.cfg.Logger.DebugContext(ctx, "user operation not sponsored, its account pays", "sender", op.Sender, "reason", err)
		op.PaymasterAndData = nil
		op.setGas(draft.Gas)
	}
	return StepEstimate, s.estimate(ctx, draft, op)
}

// sponsor fills paymasterAndData and the limits. A paymaster proposes the limits together with its
// signature, which covers them. Where the caller has a say in them, or the paymaster proposes none, it is
// asked once more when they stand.
func (s *Sender) sponsor(ctx context.Context, draft *Draft, op *Operation) (Step, error) {
	if draft.Gas.complete() {
		return StepSponsor, s.sponsorFixed(ctx, draft, op)
	}
	// A paymaster knows nothing of state overrides: with them, the bundler estimates.
	proposed, err := s.askSponsor(ctx, draft, op, len(draft.Overrides) == 0)
	if err != nil {
		return StepSponsor, err
	}
	// The answer stands in for the final one while limits are estimated.
	op.PaymasterAndData = proposed.PaymasterAndData
	gas, ok := proposed.gas()
	ok = ok && len(draft.Overrides) == 0
	if ok && draft.leavesGas() {
		op.setGas(gas)
		return "", nil
	}
	if ok {
		op.setGas(draft.limits(gas))
	} else if err := s.estimate(ctx, draft, op); err != nil {
		return StepEstimate, err
	}
	return StepSponsor, s.sponsorFixed(ctx, draft, op)
}

// estimate fills the limits that the caller did not give from the bundler's estimate.
func (s *Sender) estimate(ctx context.Context, draft *Draft, op *Operation) error {
	if draft.Gas.complete() {
		return nil
	}
	gas, err := s.cfg.Bundler.EstimateUserOperationGas(ctx, op, s.cfg.EntryPoint, draft.Overrides)
	if err != nil {
		return err
	}
	op.setGas(draft.limits(gas))
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
func (s *Sender) sponsorFixed(ctx context.Context, draft *Draft, op *Operation) error {
	op.PaymasterAndData = nil
	answer, err := s.askSponsor(ctx, draft, op, false)
	if err != nil {
		return err
	}
	op.PaymasterAndData = answer.PaymasterAndData
	return sameLimits(op, &answer)
}

func (s *Sender) askSponsor(ctx context.Context, draft *Draft, op *Operation, calculate bool) (Sponsorship, error) {
	answer, err := s.cfg.Paymaster.SponsorUserOperation(ctx, op, SponsorRequest{
		EntryPoint:         s.cfg.EntryPoint,
		ChainID:            s.cfg.ChainID,
		CalculateGasLimits: calculate,
		FeeToken:           draft.FeeToken,
		Context:            draft.PaymasterContext,
	})
	if err == nil {
		err = namesPaymaster(answer.PaymasterAndData)
	}
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
