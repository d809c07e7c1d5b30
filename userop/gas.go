package userop

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Gas are the three gas limits of an operation, in gas.
type Gas struct {
	CallGasLimit         uint256.Int
	VerificationGasLimit uint256.Int
	PreVerificationGas   uint256.Int
}

// isZero reports whether no limit is given.
func (g Gas) isZero() bool {
	return g.CallGasLimit.IsZero() && g.VerificationGasLimit.IsZero() && g.PreVerificationGas.IsZero()
}

// complete reports whether every limit is given.
func (g Gas) complete() bool {
	return !g.CallGasLimit.IsZero() && !g.VerificationGasLimit.IsZero() && !g.PreVerificationGas.IsZero()
}

// String says the limits in words.
func (g Gas) String() string {
	return partsText(&g.CallGasLimit, &g.VerificationGasLimit, &g.PreVerificationGas)
}

// Fees are the two EIP-1559 fee fields of an operation, in wei per gas.
type Fees struct {
	MaxFeePerGas         uint256.Int
	MaxPriorityFeePerGas uint256.Int
}

// isZero reports whether no fee is given.
func (f Fees) isZero() bool {
	return f.MaxFeePerGas.IsZero() && f.MaxPriorityFeePerGas.IsZero()
}

// String says the fees in words.
func (f Fees) String() string {
	return fmt.Sprintf("at most %s wei per gas, tip %s", f.MaxFeePerGas.Dec(), f.MaxPriorityFeePerGas.Dec())
}

func (op *Operation) setFees(f Fees) {
	op.MaxFeePerGas, op.MaxPriorityFeePerGas = f.MaxFeePerGas, f.MaxPriorityFeePerGas
}

func (op *Operation) setGas(g Gas) {
	op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = g.CallGasLimit, g.VerificationGasLimit, g.PreVerificationGas
}

// Caps are what an operation may cost at most, whoever proposes its limits and fees. Nil is no cap.
type Caps struct {
	// MaxFeePerGas is in wei per gas.
	MaxFeePerGas *uint256.Int
	// MaxCost is in wei: the sum of the gas limits times the fee, as the EntryPoint prefunds it.
	MaxCost *uint256.Int
	// The gas limits, in gas.
	CallGasLimit, VerificationGasLimit, PreVerificationGas *uint256.Int
}

// ErrCap means that an operation would cost more than its [Caps] allow, or than is let pass without them, or
// that nothing bounds what it would cost. Nothing was signed.
var ErrCap = errors.New("over the cap")

func partsText(call, verification, preVerification *uint256.Int) string {
	return fmt.Sprintf("%s call + %s verification + %s pre-verification", call.Dec(), verification.Dec(), preVerification.Dec())
}

// check returns an error matching [ErrCap] that names the field and both numbers.
func (c *Caps) check(op *Operation) error {
	for _, field := range []struct {
		name, unit string
		cap, value *uint256.Int
	}{
		{"maxFeePerGas", "wei", c.MaxFeePerGas, &op.MaxFeePerGas},
		{"callGasLimit", "gas", c.CallGasLimit, &op.CallGasLimit},
		{"verificationGasLimit", "gas", c.VerificationGasLimit, &op.VerificationGasLimit},
		{"preVerificationGas", "gas", c.PreVerificationGas, &op.PreVerificationGas},
	} {
		if field.cap != nil && field.value.Gt(field.cap) {
			return fmt.Errorf("%w: %s is %s %s, the cap is %s", ErrCap, field.name, field.value.Dec(), field.unit, field.cap.Dec())
		}
	}
	if c.MaxCost != nil {
		if cost, ok := op.Prefund(); !ok || cost.Gt(c.MaxCost) {
			return fmt.Errorf("%w: the operation may cost %s wei, the cap is %s", ErrCap, cost.Dec(), c.MaxCost.Dec())
		}
	}
	return nil
}

// checkSelfPaid judges an operation that its account pays for: somebody has to bound what a service makes it
// cost.
func (d *Draft) checkSelfPaid(op *Operation) error {
	feesBounded := d.Caps.MaxFeePerGas != nil || !d.Fees.isZero()
	preVerificationBounded := d.Caps.PreVerificationGas != nil || !d.Gas.PreVerificationGas.IsZero()
	switch {
	case d.Bound != nil:
		return d.Bound(op)
	case d.Caps.MaxCost == nil && !(feesBounded && preVerificationBounded):
		return fmt.Errorf("%w: nothing bounds what the account pays for the operation: name a cap, Caps.MaxCost in wei, or a Bound", ErrCap)
	}
	return nil
}

// TightenedBy returns the lower one of both caps, field by field.
func (c Caps) TightenedBy(other Caps) Caps {
	for _, field := range []struct{ cap, other **uint256.Int }{
		{&c.MaxFeePerGas, &other.MaxFeePerGas},
		{&c.MaxCost, &other.MaxCost},
		{&c.CallGasLimit, &other.CallGasLimit},
		{&c.VerificationGasLimit, &other.VerificationGasLimit},
		{&c.PreVerificationGas, &other.PreVerificationGas},
	} {
		if *field.cap == nil || *field.other != nil && (*field.other).Lt(*field.cap) {
			*field.cap = *field.other
		}
	}
	return c
}

// Prefund returns what the EntryPoint takes in advance, in wei: the gas limits, the verification limit thrice
// with a paymaster, times the maximum fee. It saturates, with ok false, on overflow.
func (op *Operation) Prefund() (wei *uint256.Int, ok bool) {
	gas, overflow := new(uint256.Int).MulOverflow(&op.VerificationGasLimit, op.verifications())
	for _, add := range []*uint256.Int{&op.CallGasLimit, &op.PreVerificationGas} {
		var over bool
		_, over = gas.AddOverflow(gas, add)
		overflow = overflow || over
	}
	wei, over := new(uint256.Int).MulOverflow(gas, &op.MaxFeePerGas)
	if overflow || over {
		return wei.SetAllOne(), false
	}
	return wei, true
}

// verifications is how often the EntryPoint counts the verification limit.
func (op *Operation) verifications() *uint256.Int {
	if len(op.PaymasterAndData) > 0 {
		return uint256.NewInt(3)
	}
	return uint256.NewInt(1)
}

// Estimate is what an operation may take at most, by part. What it really takes is in its [Receipt], and
// mostly less.
type Estimate struct {
	// Gas are the limits, in gas.
	Gas Gas
	// Fees are in wei per gas.
	Fees Fees
	// Cost is in wei.
	Cost Cost
	// Paymaster pays; it is zero where the account itself does.
	Paymaster common.Address
}

// Cost is a gas limit times the maximum fee, in wei, for each limit. With a paymaster the EntryPoint counts
// the verification limit thrice: it may use it for the account, for the paymaster, and for the paymaster's
// last word.
type Cost struct {
	Call, Verification, PreVerification uint256.Int
}

// Total returns the sum, which is what the EntryPoint takes in advance: [Operation.Prefund].
func (c Cost) Total() uint256.Int {
	sum := new(uint256.Int)
	for _, part := range []*uint256.Int{&c.Call, &c.Verification, &c.PreVerification} {
		if _, overflow := sum.AddOverflow(sum, part); overflow {
			return *sum.SetAllOne()
		}
	}
	return *sum
}

// Estimate makes an operation complete as for sending, and returns what it may cost. It signs nothing; a
// sponsored draft is shown to the paymaster. Caps, Bound and Accept do not apply: they would hide the number.
func (s *Sender) Estimate(ctx context.Context, draft Draft) (*Estimate, error) {
	draft.Caps, draft.Accept = Caps{}, nil
	draft.Bound = func(*Operation) error { return nil }
	op, err := s.BuildUnsigned(ctx, draft)
	if err != nil {
		return nil, err
	}
	return op.Estimate(), nil
}

// Estimate returns what the operation may cost with its limits and fees. Numbers beyond 256 bits saturate.
func (op *Operation) Estimate() *Estimate {
	e := &Estimate{Gas: op.Gas(), Fees: op.Fees()}
	if len(op.PaymasterAndData) >= common.AddressLength {
		e.Paymaster = common.BytesToAddress(op.PaymasterAndData[:common.AddressLength])
	}
	verification := saturatingMul(&op.VerificationGasLimit, op.verifications())
	e.Cost = Cost{
		Call:            saturatingMul(&op.CallGasLimit, &op.MaxFeePerGas),
		Verification:    saturatingMul(&verification, &op.MaxFeePerGas),
		PreVerification: saturatingMul(&op.PreVerificationGas, &op.MaxFeePerGas),
	}
	return e
}

func saturatingMul(a, b *uint256.Int) (product uint256.Int) {
	if _, overflow := product.MulOverflow(a, b); overflow {
		product.SetAllOne()
	}
	return product
}

// String says the sum and its parts in words.
func (c Cost) String() string {
	total := c.Total()
	return fmt.Sprintf("%s wei (%s)", total.Dec(), partsText(&c.Call, &c.Verification, &c.PreVerification))
}

// String says the estimate in one line.
func (e Estimate) String() string {
	payer := "the account"
	if e.Paymaster != (common.Address{}) {
		payer = "paymaster " + e.Paymaster.Hex()
	}
	return fmt.Sprintf("at most %s, paid by %s: gas %s; fee %s", e.Cost, payer, e.Gas, e.Fees)
}
