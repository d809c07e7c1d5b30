package account

import (
	"context"
	"errors"
	"math/big"
	"net/url"
	"regexp"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
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
