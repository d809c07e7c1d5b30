package userop

import (
	"context"
	"errors"
	"fmt"

	"github.com/holiman/uint256"
)

// price fills gas limits and, for a sponsored draft, paymasterAndData. It returns the step that failed.
//
// A paymaster that sets the limits itself saves the estimation. It cannot be used where the caller has
// a say in them: the paymaster signs what it answers.
func (s *Sender) price(ctx context.Context, draft *Draft, op *Operation) (Step, error) {
	op.CallGasLimit = draft.Gas.CallGasLimit
	op.VerificationGasLimit = draft.Gas.VerificationGasLimit
	op.PreVerificationGas = draft.Gas.PreVerificationGas

	if draft.Sponsored && draft.Gas.IsZero() && !draft.Margins.gas() {
		err := s.sponsor(ctx, draft, op, true)
		if !errors.Is(err, errNoLimits) {
			return StepSponsor, err
		}
		// The service sponsors, but leaves the limits to us.
	}
	if err := s.estimate(ctx, draft, op); err != nil {
		return StepEstimate, err
	}
	if !draft.Sponsored {
		return "", nil
	}
	return StepSponsor, s.sponsor(ctx, draft, op, false)
}

// estimate fills the limits that the caller did not give.
func (s *Sender) estimate(ctx context.Context, draft *Draft, op *Operation) error {
	if !op.CallGasLimit.IsZero() && !op.VerificationGasLimit.IsZero() && !op.PreVerificationGas.IsZero() {
		return nil
	}
	gas, err := s.cfg.Bundler.EstimateUserOperationGas(ctx, op, s.cfg.EntryPoint, draft.Overrides)
	if err != nil {
		return err
	}
	for _, field := range []struct {
		limit    *uint256.Int
		estimate uint256.Int
		margin   uint
	}{
		{&op.CallGasLimit, gas.CallGasLimit, draft.Margins.CallGasLimit},
		{&op.VerificationGasLimit, gas.VerificationGasLimit, draft.Margins.VerificationGasLimit},
		{&op.PreVerificationGas, gas.PreVerificationGas, draft.Margins.PreVerificationGas},
	} {
		if field.limit.IsZero() {
			*field.limit = addPercent(field.estimate, field.margin)
		}
	}
	return nil
}

var errNoLimits = errors.New("the paymaster answered without gas limits")

// sponsor asks the paymaster to pay. With calculate it sets the limits, else it must leave them alone:
// its signature covers them.
func (s *Sender) sponsor(ctx context.Context, draft *Draft, op *Operation, calculate bool) error {
	answer, err := s.cfg.Paymaster.SponsorUserOperation(ctx, op, SponsorRequest{
		EntryPoint:         s.cfg.EntryPoint,
		ChainID:            s.cfg.ChainID,
		CalculateGasLimits: calculate,
		FeeToken:           draft.FeeToken,
	})
	if err != nil {
		return err
	}
	if len(answer.PaymasterAndData) < 20 {
		return fmt.Errorf("%w: the paymaster answered with %d bytes of paymasterAndData, an address alone has 20", ErrNotSponsored, len(answer.PaymasterAndData))
	}
	if calculate {
		if answer.CallGasLimit == nil || answer.VerificationGasLimit == nil || answer.PreVerificationGas == nil {
			return errNoLimits
		}
		op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = *answer.CallGasLimit, *answer.VerificationGasLimit, *answer.PreVerificationGas
	} else if err := sameLimits(op, &answer); err != nil {
		return err
	}
	op.PaymasterAndData = answer.PaymasterAndData
	return nil
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
