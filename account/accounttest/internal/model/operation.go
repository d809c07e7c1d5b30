package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// operationTuple is a user operation in signatures.
const operationTuple = "(address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)"

// readOperation reads a user operation, nil if it cannot be read.
func readOperation(in *input) *userop.Operation {
	op := &userop.Operation{
		Sender:               in.address(0),
		Nonce:                in.number(1),
		InitCode:             in.bytes(2),
		CallData:             in.bytes(3),
		CallGasLimit:         in.number(4),
		VerificationGasLimit: in.number(5),
		PreVerificationGas:   in.number(6),
		MaxFeePerGas:         in.number(7),
		MaxPriorityFeePerGas: in.number(8),
		PaymasterAndData:     in.bytes(9),
		Signature:            in.bytes(10),
	}
	if in.bad {
		return nil
	}
	return op
}

func readOperations(in *input, i int) []*userop.Operation {
	return each(in, i, func(list *input, k int) *userop.Operation {
		op := readOperation(list.tuple(k))
		list.bad = list.bad || op == nil
		return op
	})
}

// handleOps is a bundle, as a simulation sends it.
func handleOps(c *call, ops []*userop.Operation, beneficiary common.Address) ([]byte, error) {
	_, err := c.Bundle(ops, beneficiary)
	return nil, err
}

// simulateHandleOp always reverts: with ExecutionResult where the operation is valid.
func simulateHandleOp(c *call, in *input) ([]byte, error) {
	op, target, data := readOperation(in.tuple(0)), in.address(1), in.bytes(2)
	if in.bad || op == nil {
		return nil, bare()
	}
	used, err := c.measure(op)
	if err != nil {
		return nil, err
	}
	var result []byte
	var failure error
	if target != (common.Address{}) {
		result, failure = c.call(target, new(uint256.Int), data)
	}
	if _, unknown := failure.(*Unknown); unknown {
		return nil, failure
	}
	if failure != nil {
		result = revertData(failure)
	}
	return nil, executionResult(used, target != (common.Address{}) && failure == nil, result)
}
