package userop

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Estimate is what an operation may take at most, by part. What it really takes is in its [Receipt], and
// mostly less.
type Estimate struct {
	// Gas are the limits, in gas.
	Gas Gas
	// Fees are in wei per gas.
	Fees Fees
	// Cost is in wei.
	Cost Cost
	// Paymaster is who pays, zero for the account itself.
	Paymaster common.Address
}

// Cost is a gas limit times the maximum fee, in wei, for each limit. With a paymaster the EntryPoint counts the
// verification limit thrice: it may use it for the account, for the paymaster, and for the paymaster's last
// word.
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
// sponsored draft is shown to the paymaster. Caps and Accept do not apply: they would hide the number.
func (s *Sender) Estimate(ctx context.Context, draft Draft) (*Estimate, error) {
	draft.Caps, draft.Accept = Caps{}, nil
	op, err := s.BuildUnsigned(ctx, draft)
	if err != nil {
		return nil, err
	}
	return op.Estimate(), nil
}

// Estimate returns what the operation may cost with its limits and fees. Numbers beyond 256 bits
// saturate.
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
