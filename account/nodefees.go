package account

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/userop"
)

// feeChain is a [Chain] that can propose fees.
type feeChain interface {
	HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error)
	SuggestGasTipCap(ctx context.Context) (*big.Int, error)
	SuggestGasPrice(ctx context.Context) (*big.Int, error)
}

// tipSource is a bundler that names its tip and leaves the base fee to the node, as Rundler does.
type tipSource interface {
	MaxPriorityFeePerGas(ctx context.Context) (uint256.Int, error)
}

// nodeFees proposes twice the base fee plus the node's tip, which holds for six full blocks. Not every node
// has a method for the tip, and not every node's headers can be read: what is missing is taken from the gas
// price, which is the sum of both.
func (f *feeSource) nodeFees(ctx context.Context) (userop.Fees, error) {
	var (
		tip, base *big.Int
		group     errgroup.Group
	)
	group.Go(func() error { // beside the header: one round trip for both
		var err error
		for t := node.Ask(ctx); t.Next(&err); {
			tip, err = f.chain.SuggestGasTipCap(t.Context)
		}
		if err != nil {
			tip = nil
		}
		return nil
	})
	var head *types.Header
	var headErr error
	for t := node.Ask(ctx); t.Next(&headErr); {
		head, headErr = f.chain.HeaderByNumber(t.Context, nil)
	}
	_ = group.Wait() // never fails: there are other ways to a tip
	if headErr == nil && head != nil {
		base = head.BaseFee
	}
	if base != nil && tip != nil {
		return feesFromParts(base, tip)
	}
	var price *big.Int
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		price, err = f.chain.SuggestGasPrice(t.Context)
	}
	switch {
	case err != nil && headErr != nil:
		return userop.Fees{}, fmt.Errorf("node: read the base fee: %w; read the gas price: %v", headErr, err)
	case err != nil:
		return userop.Fees{}, fmt.Errorf("node: read the gas price: %w", err)
	case price == nil:
		return userop.Fees{}, fmt.Errorf("node: %w: a gas price of null", ErrBadAnswer)
	case base != nil:
		return feesFromParts(base, atLeastZero(new(big.Int).Sub(price, base)))
	case headErr == nil: // a chain without base fee
		return feesFromBig(price, price)
	case tip != nil:
		return feesFromParts(atLeastZero(new(big.Int).Sub(price, tip)), tip)
	}
	// The parts of the price are not known. With both fees alike, what is given is what is paid: a quarter
	// above the price, which holds while the base fee rises for two blocks.
	price = new(big.Int).Add(price, new(big.Int).Rsh(price, 2))
	return feesFromBig(price, price)
}

// withTip are the fees with another tip. Where both are alike the base fee is not known, and the sum stays.
func withTip(fees userop.Fees, tip *uint256.Int) userop.Fees {
	maxFee := &fees.MaxFeePerGas
	if !maxFee.Eq(&fees.MaxPriorityFeePerGas) {
		maxFee.Sub(maxFee, &fees.MaxPriorityFeePerGas)
		if _, overflow := maxFee.AddOverflow(maxFee, tip); overflow {
			maxFee.SetAllOne()
		}
	} else if tip.Gt(maxFee) {
		maxFee.Set(tip)
	}
	fees.MaxPriorityFeePerGas.Set(tip)
	return fees
}

func atLeastZero(x *big.Int) *big.Int {
	if x.Sign() < 0 {
		return new(big.Int)
	}
	return x
}

// feesFromParts are fees that hold until the base fee has doubled.
func feesFromParts(base, tip *big.Int) (userop.Fees, error) {
	maxFee := new(big.Int).Lsh(base, 1)
	return feesFromBig(maxFee.Add(maxFee, tip), tip)
}

// feesFromBig are fees in wei per gas, as the node told them.
func feesFromBig(maxFee, tip *big.Int) (userop.Fees, error) {
	fee, over := uint256.FromBig(maxFee)
	priority, overTip := uint256.FromBig(tip)
	if over || overTip || maxFee.Sign() < 0 || tip.Sign() < 0 {
		return userop.Fees{}, fmt.Errorf("%w: the node proposes fees of %s and %s wei", ErrBadAnswer, maxFee, tip)
	}
	return userop.Fees{MaxFeePerGas: *fee, MaxPriorityFeePerGas: *priority}, nil
}
