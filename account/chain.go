package account

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// Chain is what a client reads of its chain; *ethclient.Client is one. One that can also propose fees
// (HeaderByNumber, SuggestGasTipCap and SuggestGasPrice, as *ethclient.Client does) is asked for them
// where the bundler has no gas price of its own.
type Chain interface {
	ChainID(ctx context.Context) (*big.Int, error)
	CodeAt(ctx context.Context, account common.Address, block *big.Int) ([]byte, error)
	CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error)
}

// call reads a contract at the latest block.
func call(ctx context.Context, chain Chain, to common.Address, data []byte) ([]byte, error) {
	answer, err := chain.CallContract(ctx, ethereum.CallMsg{To: &to, Data: data}, nil)
	return answer, withoutURL(err)
}

// withoutURL is an error of the node without its URL, which may hold a key: net/http quotes it and, where
// HTTP itself failed, go-ethereum's client quotes the answer, of any length, which may quote it too ("Cannot POST
// /v2/KEY").
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	if err == nil {
		return nil
	}
	if status := httpFailure.FindStringSubmatch(err.Error()); status != nil {
		return errors.New(status[1])
	}
	return err
}

// httpFailure is how go-ethereum's client tells an HTTP status, and the answer after it. Its error has a type, in a
// package that does network I/O, which this one leaves to who makes the [Chain].
var httpFailure = regexp.MustCompile(`^([1-5][0-9]{2} [A-Za-z' -]{0,40}):`)

// feeChain is a [Chain] that can propose fees.
type feeChain interface {
	HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error)
	SuggestGasTipCap(ctx context.Context) (*big.Int, error)
	SuggestGasPrice(ctx context.Context) (*big.Int, error)
}

// fees asks the bundler for fees and, if it has none to offer, the node.
type fees struct {
	bundler userop.FeeSource
	chain   feeChain
}

// Fees implements [userop.FeeSource].
func (f fees) Fees(ctx context.Context) (userop.Fees, error) {
	err := fmt.Errorf("%w: neither the bundler nor the chain reader proposes fees; give them with WithFees", userop.ErrNoFees)
	if f.bundler != nil {
		var proposed userop.Fees
		if proposed, err = f.bundler.Fees(ctx); err == nil {
			return proposed, nil
		}
	}
	if f.chain == nil || !isNoFees(err) {
		return userop.Fees{}, err
	}
	return f.ofNode(ctx)
}

// ofNode proposes twice the base fee plus the node's tip, which holds for six full blocks; on a chain
// without base fee, its gas price.
func (f fees) ofNode(ctx context.Context) (userop.Fees, error) {
	head, err := f.chain.HeaderByNumber(ctx, nil)
	if err != nil {
		return userop.Fees{}, fmt.Errorf("read the base fee: %w", withoutURL(err))
	}
	if head.BaseFee == nil {
		price, err := f.chain.SuggestGasPrice(ctx)
		if err != nil {
			return userop.Fees{}, fmt.Errorf("read the gas price: %w", withoutURL(err))
		}
		return feesOf(price, price)
	}
	tip, err := f.chain.SuggestGasTipCap(ctx)
	if err != nil {
		return userop.Fees{}, fmt.Errorf("read the gas tip: %w", withoutURL(err))
	}
	most := new(big.Int).Lsh(head.BaseFee, 1)
	return feesOf(most.Add(most, tip), tip)
}

func feesOf(most, tip *big.Int) (userop.Fees, error) {
	maxFee, over := uint256.FromBig(most)
	priority, overTip := uint256.FromBig(tip)
	if over || overTip {
		return userop.Fees{}, fmt.Errorf("%w: the node proposes fees of %s and %s wei", ErrBadAnswer, most, tip)
	}
	return userop.Fees{MaxFeePerGas: *maxFee, MaxPriorityFeePerGas: *priority}, nil
}
