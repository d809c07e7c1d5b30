package account_test

import (
	"context"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/userop"
)

var errOffline = errors.New("nothing may be asked here")

// deadChain and deadBundler fail every request: for what must not do any.
type deadChain struct{}

func (deadChain) ChainID(context.Context) (*big.Int, error) { return nil, errOffline }

func (deadChain) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	return nil, errOffline
}

func (deadChain) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return nil, errOffline
}

type deadBundler struct{}

func (deadBundler) SendUserOperation(context.Context, *userop.Operation, common.Address) (common.Hash, error) {
	return common.Hash{}, errOffline
}

func (deadBundler) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	return userop.Gas{}, errOffline
}

func (deadBundler) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	return nil, errOffline
}
