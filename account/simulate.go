package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/userop"
)

// Simulate makes and signs the operation that [Account.Send] would send and tries it in the node's
// simulation, without sending it: see [Client.Simulate]. Limits that are not given with [WithGas] are
// estimated before, and an operation that fails then is the service's error.
func (a *Account) Simulate(ctx context.Context, calls []Call, opts ...Option) error {
	draft, err := a.newDraft(ctx, calls, opts)
	if err != nil {
		return err
	}
	return a.client.simulateDraft(ctx, draft)
}

// Simulate is [Account.Simulate] for what [OwnedAccount.Send] would send.
func (o *OwnedAccount) Simulate(ctx context.Context, calls []Call, opts ...Option) error {
	draft, err := o.newDraft(ctx, calls, opts)
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
// one does not; any other error means that the node could not tell, such as one of another chain
// ([userop.ErrWrongChain]). Reasons that the EntryPoint hides ("AA23 reverted (or OOG)") are looked for.
//
// The calls of an operation that deploys its account are tried with all the gas there is: whether its
// callGasLimit is enough for them is not told. Nor is whether the account can still send, after it paid for
// the operation, what comes after a call with data in a batch.
func (c *Client) Simulate(ctx context.Context, op *userop.Operation) error {
	if err := c.refuseOtherChain(ctx); err != nil {
		return fmt.Errorf("simulate user operation of %s: %w", op.Sender, err)
	}
	s := simulation{client: c, op: op}
	for _, step := range []func(context.Context) error{s.validate, s.execute, s.checkFunds} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bearsOut reports whether the chain would refuse a signed operation now, or make its calls in vain.
func (c *Client) bearsOut(ctx context.Context, op *userop.Operation) (bool, error) {
	err := c.Simulate(ctx, op)
	if _, refused := errors.AsType[*SimulationError](err); refused {
		return true, nil
	}
	return false, err
}

func (c *Client) hash(op *userop.Operation) common.Hash {
	return op.Hash(c.contracts.EntryPoint, c.chainID)
}

// simulation is one operation being simulated.
type simulation struct {
	client *Client
	op     *userop.Operation
}

// beneficiary is the address that would be paid for the bundle.
var beneficiary = common.Address{18: 0xde, 19: 0xad}

// validate runs the operation as a bundle of its own. The EntryPoint reverts for one that it would not
// include; a call that fails is none of its business.
func (s *simulation) validate(ctx context.Context) error {
	bundle := contracts.HandleOps([]contracts.UserOperation{contracts.UserOperation(*s.op)}, beneficiary)
	failure, err := s.simulateCall(ctx, common.Address{}, s.client.contracts.EntryPoint, bundle, nil)
	if err != nil || failure == nil {
		return err
	}
	aa, ok := userop.ParseAA(failure.Revert.Reason())
	if !ok {
		return fmt.Errorf("simulate user operation of %s: EntryPoint %s: %w", s.op.Sender, s.client.contracts.EntryPoint, errors.Join(failure.Unwrap()...))
	}
	failure.AA, failure.Revert = aa, abi.Revert{}
	if failure.Err = s.checkClaim(aa); failure.Err != nil {
		return failure
	}
	if hidden, err := s.hiddenFailure(ctx, aa); err == nil && hidden != nil {
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

// checkFunds returns an error if the account would have paid so much for the operation that its calls' value
// is no longer there: the call was tried before that. After a call with data it is not told: that may have
// brought money in.
func (s *simulation) checkFunds(ctx context.Context) error {
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
	balance, deposit, err := account.nativeFunds(ctx)
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

// callAccount has the EntryPoint call the account, after its deployment where that is part of the operation.
func (s *simulation) callAccount(ctx context.Context, data []byte, gas *uint256.Int) (*SimulationError, error) {
	if len(s.op.InitCode) == 0 {
		return s.simulateCall(ctx, s.client.contracts.EntryPoint, s.op.Sender, data, gas)
	}
	failure, err := s.simulateCall(ctx, common.Address{}, s.client.contracts.EntryPoint, contracts.SimulateHandleOp(s.deployment(), s.op.Sender, data), nil)
	switch {
	case err != nil:
		return nil, err
	case failure == nil || failure.Revert.Name != "ExecutionResult":
		return nil, fmt.Errorf("%w: simulateHandleOp of EntryPoint %s", ErrBadAnswer, s.client.contracts.EntryPoint)
	case failure.Revert.Inner == nil:
		return nil, nil
	}
	return &SimulationError{Operation: s.op, Revert: *failure.Revert.Inner}, nil
}

// deployment is an operation that deploys the account and calls nothing. Its signature is a dummy, which the
// EntryPoint puts up with in a simulation; for nobody else's fees to depend on that, it has none where a
// paymaster pays.
func (s *simulation) deployment() contracts.UserOperation {
	op := *s.op
	op.CallData = nil
	if len(op.PaymasterAndData) > 0 {
		op.PaymasterAndData = nil
		op.MaxFeePerGas.Clear()
		op.MaxPriorityFeePerGas.Clear()
	}
	op.Signature = contracts.WrapSignature(dummyOwnerSignature, contracts.SignatureModule(op.Signature))
	return contracts.UserOperation(op)
}

// simulateCall has the node simulate a call with so much gas to run on; nil is all that the node grants. The
// failure is nil if the call succeeds; err is the node's or the network's.
func (s *simulation) simulateCall(ctx context.Context, from, to common.Address, data []byte, gas *uint256.Int) (failure *SimulationError, err error) {
	call := ethereum.CallMsg{From: from, To: &to, Data: data}
	if gas != nil {
		call.Gas = callGas(gas, data)
	}
	for t := node.Ask(ctx); t.Next(&err); {
		_, err = s.client.chain.CallContract(t.Context, call, nil)
	}
	if err == nil {
		return nil, nil
	}
	revert, reverted := revertOf(err)
	if !reverted && !strings.Contains(err.Error(), "out of gas") {
		return nil, fmt.Errorf("simulate user operation of %s: %w", s.op.Sender, err)
	}
	failure = &SimulationError{Operation: s.op, Revert: revert}
	if gas != nil && len(revert.Data) == 0 {
		// Out of gas in a call within the call, the account's proxy says nothing. So does a bare revert.
		if unlimited, err := s.simulateCall(ctx, from, to, data, nil); err == nil && unlimited == nil {
			failure.Err = fmt.Errorf("out of gas: a limit of %s is too low", gas.Dec())
		}
	}
	return failure, nil
}

// callGas is the gas limit of a call from outside that is to run on gas: it pays for being a transaction
// first, which a call of the EntryPoint does not. A limit of very little is what EIP-7623 asks for the data.
func callGas(gas *uint256.Int, data []byte) uint64 {
	limit := uint64(1 << 40)
	if gas.LtUint64(limit) {
		limit = gas.Uint64()
	}
	tokens := uint64(4*len(data) - 3*bytes.Count(data, []byte{0}))
	return params.TxGas + max(limit+tokens*params.TxDataZeroGas, tokens*params.TxCostFloorPerToken)
}

// checkClaim refuses a node's word that somebody failed who has no part in the operation.
func (s *simulation) checkClaim(aa *userop.AAError) error {
	switch {
	case strings.HasPrefix(aa.Code, "AA1") && len(s.op.InitCode) < common.AddressLength:
		return fmt.Errorf("%w: the node says so of an operation whose initCode of %d bytes names no factory", ErrBadAnswer, len(s.op.InitCode))
	case strings.HasPrefix(aa.Code, "AA3") && len(s.op.PaymasterAndData) < common.AddressLength:
		return fmt.Errorf("%w: the node says so of an operation whose paymasterAndData of %d bytes names no paymaster", ErrBadAnswer, len(s.op.PaymasterAndData))
	}
	return nil
}

// hiddenFailure simulates the failed part of the validation alone, for the reason that the EntryPoint saw and
// did not tell: it tells strings only.
func (s *simulation) hiddenFailure(ctx context.Context, aa *userop.AAError) (*SimulationError, error) {
	if !strings.Contains(aa.Reason, "OOG") {
		return nil, nil
	}
	op, hash := contracts.UserOperation(*s.op), s.client.hash(s.op)
	switch aa.Code {
	case "AA13":
		factory, deploy := common.BytesToAddress(s.op.InitCode[:common.AddressLength]), s.op.InitCode[common.AddressLength:]
		return s.simulateCall(ctx, common.Address{}, factory, deploy, &s.op.VerificationGasLimit)
	case "AA23":
		return s.callAccount(ctx, contracts.ValidateUserOp(op, hash, new(uint256.Int)), &s.op.VerificationGasLimit)
	case "AA33":
		prefund, _ := s.op.Prefund()
		data := contracts.ValidatePaymasterUserOp(op, hash, prefund)
		paymaster := common.BytesToAddress(s.op.PaymasterAndData[:common.AddressLength])
		return s.simulateCall(ctx, s.client.contracts.EntryPoint, paymaster, data, &s.op.VerificationGasLimit)
	}
	return nil, nil
}

// SimulationError is why an operation would fail.
type SimulationError struct {
	Operation *userop.Operation
	// AA is why the EntryPoint would not include the operation; nil if it would, and the call fail: that
	// costs gas.
	AA *userop.AAError
	// Revert is what the account, the factory, the paymaster or the call reverts with; without data where
	// there is no reason beyond Err.
	Revert abi.Revert
	// Err is a failure that is no revert: out of gas, too little money, or a node that contradicts the
	// operation ([ErrBadAnswer]). Nil for a revert.
	Err error
}

// Error says at which stage the operation fails, and why.
func (e *SimulationError) Error() string {
	cause := e.Revert.String()
	if e.Err != nil {
		cause = e.Err.Error()
	}
	switch {
	case e.AA == nil:
		return fmt.Sprintf("user operation of %s would be included, but its call would fail: %s", e.Operation.Sender, cause)
	case len(e.Revert.Data) == 0 && e.Err == nil:
		return fmt.Sprintf("user operation of %s would be refused: %v", e.Operation.Sender, e.AA)
	}
	return fmt.Sprintf("user operation of %s would be refused: %s %s: %s", e.Operation.Sender, e.AA.Code, e.AA.Reason, cause)
}

// Unwrap returns the refusal, the revert and Err, as far as they are there.
func (e *SimulationError) Unwrap() []error {
	var causes []error
	if e.AA != nil {
		causes = append(causes, e.AA)
	}
	if e.Err != nil {
		causes = append(causes, e.Err)
	} else if e.AA == nil || len(e.Revert.Data) > 0 {
		causes = append(causes, &e.Revert)
	}
	return causes
}
