package main

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/userop"
)

// noBundler stands where none was given: nothing is sent.
type noBundler struct{}

var errNoBundler = errors.New("no bundler was given; name one with -bundler")

func (noBundler) SendUserOperation(context.Context, *userop.Operation, common.Address) (common.Hash, error) {
	return common.Hash{}, errNoBundler
}

func (noBundler) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	return userop.Gas{}, errNoBundler
}

func (noBundler) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	return nil, errNoBundler
}
