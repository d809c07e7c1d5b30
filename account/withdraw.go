package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Withdrawal is what leaves the account in an [OwnedAccount.Withdraw].
type Withdrawal struct {
	// Token is the token's contract, zero for the chain's own currency. The EntryPoint stands for the
	// account's deposit there.
	Token common.Address
	To    common.Address
	// Amount is in the smallest unit: wei for the chain's own currency.
	Amount uint256.Int
	// All, instead of Amount, is whatever the account holds beside the amounts and fees that go with the same
	// operation.
	All bool
}

// Withdraw sends tokens and the chain's own currency away, in one operation. All of the currency leaves as
// much behind as the operation may cost, unless a paymaster pays for certain ([SponsoredOrSelf] is not
// certain); what it did not cost in the end lies as a deposit at the EntryPoint. The deposit itself leaves by
// operations that a paymaster pays for only. All of nothing is left out.
//
// The account's funds are compared with what is to leave before anything is signed; too little is an error
// matching [ErrFunds].
func (o *OwnedAccount) Withdraw(ctx context.Context, withdrawals []Withdrawal, opts ...Option) (*userop.Pending, error) {
	return o.sendJob(ctx, o.withdraw(withdrawals), opts)
}

func (o *OwnedAccount) withdraw(withdrawals []Withdrawal) ownerJob {
	return ownerJob{
		kind: kindWithdraw, what: fmt.Sprintf("withdraw from account %s", o.address), asked: askedWithdrawals(withdrawals),
		plan: func(ctx context.Context, s *settings) ([]Call, *settings, error) {
			return o.planWithdrawal(ctx, withdrawals, s)
		},
	}
}

// planWithdrawal returns the calls, and the settings with which their operation costs no more than is left
// behind.
func (o *OwnedAccount) planWithdrawal(ctx context.Context, withdrawals []Withdrawal, s *settings) ([]Call, *settings, error) {
	if err := o.checkWithdrawals(withdrawals); err != nil {
		return nil, nil, err
	}
	selfPaid := !s.sponsored && s.quote == nil
	isDeposit := func(w Withdrawal) bool { return w.Token == o.client.contracts.EntryPoint }
	if selfPaid && slices.ContainsFunc(withdrawals, isDeposit) {
		return nil, nil, fmt.Errorf("%w: the deposit at the EntryPoint is what the account's own operations are paid from, and what is left of their prefund goes back there; withdraw it with Sponsored or PayWith", ErrConfig)
	}
	held, err := o.readHoldings(ctx, withdrawals)
	if err != nil {
		return nil, nil, err
	}
	if s.quote != nil {
		if err := held.setAside(s.quote.Token, &s.quote.MaxFee, "the fee"); err != nil {
			return nil, nil, err
		}
	}
	withdrawals = slices.Clone(withdrawals)
	if err := held.fillAmounts(withdrawals, isToken); err != nil {
		return nil, nil, err
	}
	if selfPaid && slices.ContainsFunc(withdrawals, isNative) && !held.left[common.Address{}].IsZero() {
		estimate, err := o.estimateWithdrawal(ctx, withdrawals, s)
		if err != nil {
			return nil, nil, err
		}
		if err := held.setAsidePrefund(estimate); err != nil {
			return nil, nil, err
		}
		fixed, given := *s, s.callersCosts()
		fixed.gas, fixed.fees, fixed.given = estimate.Gas, estimate.Fees, &given
		s = &fixed
	}
	if err := held.fillAmounts(withdrawals, isNative); err != nil {
		return nil, nil, err
	}
	calls := o.withdrawalCalls(withdrawals)
	if len(calls) == 0 {
		return nil, nil, fmt.Errorf("%w: there is nothing of what is to be withdrawn", ErrFunds)
	}
	return calls, s, nil
}

func (o *OwnedAccount) checkWithdrawals(withdrawals []Withdrawal) error {
	if len(withdrawals) == 0 {
		return fmt.Errorf("%w: nothing to withdraw", policy.ErrInvalid)
	}
	all := make(map[common.Address]bool)
	for i := range withdrawals {
		if err := o.checkWithdrawal(&withdrawals[i], all); err != nil {
			return fmt.Errorf("%w: withdrawal %d: %w", policy.ErrInvalid, i, err)
		}
	}
	return nil
}

func (o *OwnedAccount) checkWithdrawal(w *Withdrawal, all map[common.Address]bool) error {
	switch {
	case w.To == (common.Address{}):
		return errors.New("to the zero address, from where nothing comes back")
	case w.To == o.address:
		return errors.New("to the account itself")
	case w.To == w.Token:
		return fmt.Errorf("of token %s to its own contract, from where nothing comes back", w.Token)
	case w.All && !w.Amount.IsZero():
		return errors.New("of all and of an amount; choose one")
	case !w.All && w.Amount.IsZero():
		return errors.New("of an amount of zero; All is asked for by name")
	case w.All && all[w.Token]:
		return fmt.Errorf("of all that is left of %s, twice", o.assetName(w.Token))
	}
	all[w.Token] = all[w.Token] || w.All
	return nil
}

// assetName is how errors call what is withdrawn.
func (o *OwnedAccount) assetName(token common.Address) string {
	switch token {
	case common.Address{}:
		return "the chain's own currency"
	case o.client.contracts.EntryPoint:
		return "the deposit at the EntryPoint"
	}
	return "token " + token.Hex()
}

// holdings are what an account has of the assets of a withdrawal, less what is spoken for.
type holdings struct {
	left    map[common.Address]*uint256.Int
	deposit uint256.Int
	name    func(asset common.Address) string
}

// readHoldings reads them in one request.
func (o *OwnedAccount) readHoldings(ctx context.Context, withdrawals []Withdrawal) (*holdings, error) {
	h := &holdings{left: map[common.Address]*uint256.Int{{}: nil}, name: o.assetName}
	reads := []contracts.Read{{To: o.address}, {To: o.client.contracts.EntryPoint, Data: contracts.BalanceOf(o.address)}}
	var tokens []common.Address
	for i := range withdrawals {
		token := withdrawals[i].Token
		if _, known := h.left[token]; !known {
			h.left[token] = nil
			tokens = append(tokens, token)
			reads = append(reads, contracts.Read{To: token, Data: contracts.BalanceOf(o.address)})
		}
	}
	results, err := batchRead(ctx, o.client.chain, nil, reads...)
	if err != nil {
		return nil, fmt.Errorf("balances: %w", err)
	}
	h.left[common.Address{}] = &results[0].Balance
	if err := decodeResult(&results[1], "balanceOf of the EntryPoint", into(&h.deposit, contracts.DecodeUint256)); err != nil {
		return nil, err
	}
	for i, token := range tokens {
		h.left[token] = new(uint256.Int)
		if err := decodeResult(&results[2+i], "balanceOf", into(h.left[token], contracts.DecodeUint256)); err != nil {
			return nil, fmt.Errorf("token %s: %w", token, err)
		}
	}
	return h, nil
}

// setAside sets aside what goes away; an asset that no withdrawal is about is not looked at.
func (h *holdings) setAside(asset common.Address, amount *uint256.Int, what string) error {
	left := h.left[asset]
	switch {
	case left == nil:
		return nil
	case left.Lt(amount):
		return fmt.Errorf("%w: %s of %s are left for %s of %s", ErrFunds, left.Dec(), h.name(asset), what, amount.Dec())
	}
	left.Sub(left, amount)
	return nil
}

// setAsidePrefund sets aside what the EntryPoint takes in advance, from the deposit before the balance.
func (h *holdings) setAsidePrefund(e *userop.Estimate) error {
	prefund := e.Cost.Total()
	if !prefund.Gt(&h.deposit) {
		return nil
	}
	return h.setAside(common.Address{}, prefund.Sub(&prefund, &h.deposit), "gas")
}

// fillAmounts gives the withdrawals of an asset their amounts: those that are named are set aside first, and
// all that is left goes to whoever gets all.
func (h *holdings) fillAmounts(withdrawals []Withdrawal, of func(Withdrawal) bool) error {
	for i := range withdrawals {
		if w := &withdrawals[i]; of(*w) {
			if err := h.setAside(w.Token, &w.Amount, fmt.Sprintf("withdrawal %d", i)); err != nil {
				return err
			}
		}
	}
	for i := range withdrawals {
		if w := &withdrawals[i]; of(*w) && w.All {
			w.Amount = *h.left[w.Token]
		}
	}
	return nil
}

func isNative(w Withdrawal) bool { return w.Token == (common.Address{}) }

func isToken(w Withdrawal) bool { return !isNative(w) }

// withdrawalCalls are the calls of those withdrawals that are of anything.
func (o *OwnedAccount) withdrawalCalls(withdrawals []Withdrawal) []Call {
	var calls []Call
	for i := range withdrawals {
		switch w := &withdrawals[i]; {
		case w.Amount.IsZero():
		case isNative(*w):
			calls = append(calls, Call{To: w.To, Value: w.Amount})
		case w.Token == o.client.contracts.EntryPoint:
			calls = append(calls, Call{To: w.Token, Data: contracts.WithdrawTo(w.To, w.Amount)})
		default:
			calls = append(calls, Call{To: w.Token, Data: contracts.Transfer(w.To, w.Amount)})
		}
	}
	return calls
}

// estimateWithdrawal returns the gas and fees of an operation that makes the withdrawals. How much of the
// chain's own currency leaves is not known before that; one wei takes as much gas, and less for calldata.
func (o *OwnedAccount) estimateWithdrawal(ctx context.Context, withdrawals []Withdrawal, s *settings) (*userop.Estimate, error) {
	trial := slices.Clone(withdrawals)
	for i := range trial {
		if isNative(trial[i]) {
			trial[i].Amount.SetOne()
		}
	}
	calls := o.withdrawalCalls(trial)
	draft, err := o.draft(ctx, calls, s)
	var op *userop.Operation
	if err == nil {
		op, err = o.client.sender.BuildUnsigned(ctx, *draft) // an estimate would not be held to any bound
	}
	if err != nil {
		return nil, fmt.Errorf("estimate the gas to leave behind: %w", err)
	}
	estimate := op.Estimate()
	if !s.gas.PreVerificationGas.IsZero() {
		return estimate, nil
	}
	const amountGas = abi.WordSize * (params.TxDataNonZeroGasEIP2028 - params.TxDataZeroGas)
	fixed := userop.Operation{
		CallGasLimit:         estimate.Gas.CallGasLimit,
		VerificationGasLimit: estimate.Gas.VerificationGasLimit,
		MaxFeePerGas:         estimate.Fees.MaxFeePerGas,
		MaxPriorityFeePerGas: estimate.Fees.MaxPriorityFeePerGas,
	}
	fixed.PreVerificationGas.AddUint64(&estimate.Gas.PreVerificationGas, uint64(len(calls))*amountGas)
	return fixed.Estimate(), nil
}
