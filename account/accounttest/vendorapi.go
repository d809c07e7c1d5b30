package accounttest

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
)

// feeQuote is a price, in wei per gas.
type feeQuote struct {
	MaxFeePerGas         *hexutil.Big `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.Big `json:"maxPriorityFeePerGas"`
}

// price quotes what an operation should offer now, times percent/100.
func (b *Bundler) price(ctx context.Context, percent int64) (*feeQuote, error) {
	head, err := b.chain.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, err
	}
	scale := func(v *big.Int) *hexutil.Big {
		v = new(big.Int).Mul(v, big.NewInt(percent))
		return (*hexutil.Big)(v.Div(v, big.NewInt(100)))
	}
	tip := big.NewInt(priorityFee)
	return &feeQuote{
		MaxFeePerGas:         scale(new(big.Int).Add(tip, new(big.Int).Lsh(head.BaseFee, 1))),
		MaxPriorityFeePerGas: scale(tip),
	}, nil
}

// biconomyAPI has the methods of namespace biconomy.
type biconomyAPI struct{ b *Bundler }

func (api *biconomyAPI) GetGasFeeValues(ctx context.Context) (*feeQuote, error) {
	return api.b.price(ctx, 100)
}

type biconomyStatus struct {
	State                string       `json:"state"`
	TransactionHash      *common.Hash `json:"transactionHash,omitempty"`
	UserOperationReceipt *opReceipt   `json:"userOperationReceipt,omitempty"`
}

func (api *biconomyAPI) GetUserOperationStatus(ctx context.Context, hash common.Hash) (*biconomyStatus, error) {
	entry, ok := api.b.pool.get(hash)
	if !ok {
		return nil, jsonrpctest.Invalid("user operation %s is not known", hash)
	}
	switch entry.state {
	case opWaiting:
		return &biconomyStatus{State: "BUNDLER_MEMPOOL"}, nil
	case opSubmitted:
		return &biconomyStatus{State: "SUBMITTED"}, nil
	case opDropped:
		return &biconomyStatus{State: "DROPPED_FROM_BUNDLER_MEMPOOL"}, nil
	}
	receipt, err := api.b.receipt(ctx, hash)
	if err != nil {
		return nil, err
	}
	return &biconomyStatus{State: "CONFIRMED", TransactionHash: &entry.txHash, UserOperationReceipt: receipt}, nil
}

// pimlicoAPI has the methods of namespace pimlico.
type pimlicoAPI struct{ b *Bundler }

type pimlicoPrice struct {
	Slow     *feeQuote `json:"slow"`
	Standard *feeQuote `json:"standard"`
	Fast     *feeQuote `json:"fast"`
}

func (api *pimlicoAPI) GetUserOperationGasPrice(ctx context.Context) (*pimlicoPrice, error) {
	var price pimlicoPrice
	for percent, tier := range map[int64]**feeQuote{100: &price.Slow, 110: &price.Standard, 120: &price.Fast} {
		quote, err := api.b.price(ctx, percent)
		if err != nil {
			return nil, err
		}
		*tier = quote
	}
	return &price, nil
}

type pimlicoStatus struct {
	Status          string       `json:"status"`
	TransactionHash *common.Hash `json:"transactionHash"`
}

func (api *pimlicoAPI) GetUserOperationStatus(_ context.Context, hash common.Hash) *pimlicoStatus {
	entry, ok := api.b.pool.get(hash)
	if !ok {
		return &pimlicoStatus{Status: "not_found"}
	}
	switch entry.state {
	case opWaiting:
		return &pimlicoStatus{Status: "not_submitted"}
	case opSubmitted:
		return &pimlicoStatus{Status: "submitted"}
	case opDropped:
		return &pimlicoStatus{Status: "rejected"}
	}
	return &pimlicoStatus{Status: "included", TransactionHash: &entry.txHash}
}
