package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// Simulate makes and signs the operation that [Account.Send] would send and tries it in the node's
// simulation, without sending it: see [Client.Simulate]. Limits that are not given with [WithGas] are estimated
// before, and an operation that fails then is the service's error.
func (a *Account) Simulate(ctx context.Context, calls []Call, opts ...Option) error {
	draft, err := a.draft(calls, opts)
	if err != nil {
		return err
	}
	return a.client.simulateDraft(ctx, draft)
}

// Simulate is [Account.Simulate] for what [OwnedAccount.Send] would send.
func (o *OwnedAccount) Simulate(ctx context.Context, calls []Call, opts ...Option) error {
	draft, err := o.draft(calls, opts)
	if err != nil {
		return err
	}
	return o.client.simulateDraft(ctx, draft)
}

// simulateDraft signs without committing the nonce: the operation is for nobody else's eyes.
func (c *Client) simulateDraft(ctx context.Context, draft *userop.Draft) error {
	op, err := c.sender.BuildUnsigned(ctx, *draft)
	if err != nil {
		return err
	}
	if op.Signature, err = draft.Signer.Sign(ctx, op, c.hash(op)); err != nil {
		return &userop.Error{Step: userop.StepSign, Sender: op.Sender, Err: err}
	}
	return c.Simulate(ctx, op)
}

// Simulate tries a signed operation on the chain as it is now: first its validation, with what the EntryPoint
// checks, then its call. It returns nil if both go well, and a [*SimulationError] with the decoded reason if
// one does not; any other error means that the node could not tell. Reasons that the EntryPoint hides
// ("AA23 reverted (or OOG)") are looked for.
//
// The calls of an operation that deploys its account are tried with all the gas there is: whether its
// callGasLimit is enough for them is not told. Nor is whether the account can still send, after it paid for the
// operation, what comes after a call with data in a batch.
func (c *Client) Simulate(ctx context.Context, op *userop.Operation) error {
	s := simulation{client: c, op: op}
	for _, step := range []func(context.Context) error{s.validate, s.execute, s.afford} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) hash(op *userop.Operation) common.Hash {
	return op.Hash(c.contracts.EntryPoint, c.chainID)
}

// simulation is one operation being tried.
type simulation struct {
	client *Client
	op     *userop.Operation
}

// beneficiary is who would be paid for the bundle.
var beneficiary = common.Address{18: 0xde, 19: 0xad}

// validate runs the operation as a bundle of its own. The EntryPoint reverts for one that it would not
// include; a call that fails is none of its business.
func (s *simulation) validate(ctx context.Context) error {
	bundle := contracts.HandleOps([]contracts.UserOperation{contracts.UserOperation(*s.op)}, beneficiary)
	failure, err := s.try(ctx, common.Address{}, s.client.contracts.EntryPoint, bundle, nil)
	if err != nil || failure == nil {
		return err
	}
	aa, ok := userop.ParseAA(failure.Revert.Reason())
	if !ok {
		return fmt.Errorf("simulate user operation of %s: EntryPoint %s: %w", s.op.Sender, s.client.contracts.EntryPoint, errors.Join(failure.Unwrap()...))
	}
	failure.AA, failure.Revert = aa, abi.Revert{}
	if hidden, err := s.uncover(ctx, aa); err == nil && hidden != nil {
		failure.Revert, failure.Err = hidden.Revert, hidden.Err
	}
	return failure
}

// execute makes the operation's call.
func (s *simulation) execute(ctx context.Context) error {
	if len(s.op.CallData) == 0 {
		return nil
	}
	failure, err := s.callAccount(ctx, s.op.CallData, &s.op.CallGasLimit)
	if err != nil || failure == nil {
		return err
	}
	return failure
}

// afford returns an error if the account would have paid so much for the operation that its calls' value is
// no longer there: the call was tried before that. After a call with data it is not told: that may have brought
// money in.
func (s *simulation) afford(ctx context.Context) error {
	if len(s.op.PaymasterAndData) > 0 || len(s.op.InitCode) > 0 {
		return nil
	}
	account := s.client.Account(s.op.Sender)
	calls, err := account.Decode(s.op.CallData)
	if err != nil {
		return nil // another function of the account's: its value is not known
	}
	var value uint256.Int
	for i := range calls {
		if _, overflow := value.AddOverflow(&value, &calls[i].Value); overflow {
			return nil // the call failed already
		}
		if len(calls[i].Data) > 0 {
			break
		}
	}
	if value.IsZero() {
		return nil
	}
	balance, deposit, err := account.funds(ctx)
	if err != nil {
		return err
	}
	prefund, _ := s.op.Prefund()
	if left := afterPrefund(&balance, &deposit, prefund); left.Lt(&value) {
		return &SimulationError{Operation: s.op, Err: fmt.Errorf(
			"%w: of %s wei, %s are left after the prefund of %s; the calls send %s", ErrFunds, balance.Dec(), left.Dec(), prefund.Dec(), value.Dec())}
	}
	return nil
}
