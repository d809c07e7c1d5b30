package bundler

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// SendUserOperation submits op and returns the hash the bundler knows it by (eth_sendUserOperation). It sends
// once. A bundler that refuses op because it has it already has accepted it: the hash is then computed here,
// for the chain that the bundler says it serves.
func (c *Client) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	params := []any{op, entryPoint.Hex()}
	if c.options.simulation != "" {
		params = append(params, map[string]SimulationType{"simulation_type": c.options.simulation})
	}
	var hash common.Hash
	err := c.call(ctx, &hash, "eth_sendUserOperation", params...)
	if !errors.Is(err, ErrAlreadyKnown) {
		return hash, err
	}
	chainID, chainErr := c.ChainID(ctx)
	if chainErr != nil {
		return common.Hash{}, fmt.Errorf("%w (and its hash cannot be told: %w)", err, chainErr)
	}
	return op.Hash(entryPoint, chainID), nil
}

// EstimateUserOperationGas returns the gas limits op needs (eth_estimateUserOperationGas). op carries a dummy
// signature. overrides go out only if there are any: not every bundler takes them.
func (c *Client) EstimateUserOperationGas(ctx context.Context, op *userop.Operation, entryPoint common.Address, overrides userop.StateOverride) (userop.Gas, error) {
	params := []any{op, entryPoint.Hex()}
	if len(overrides) != 0 {
		params = append(params, overrides)
	}
	var answer gasAnswer
	err := c.read(ctx, &answer, "eth_estimateUserOperationGas", params...)
	return userop.Gas(answer), err
}

// gasAnswer is an estimation; all three limits have to be there.
type gasAnswer userop.Gas

// UnmarshalJSON reads an estimation. verificationGas is what early bundlers call verificationGasLimit.
func (g *gasAnswer) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	verification := "verificationGasLimit"
	if !obj.Has(verification) && obj.Has("verificationGas") {
		verification = "verificationGas"
	}
	var read gasAnswer
	obj.Require("callGasLimit", (*quantity.Quantity)(&read.CallGasLimit))
	obj.Require(verification, (*quantity.Quantity)(&read.VerificationGasLimit))
	obj.Require("preVerificationGas", (*quantity.Quantity)(&read.PreVerificationGas))
	if err := obj.Err(); err != nil {
		return err
	}
	*g = read
	return nil
}

// UserOperationReceipt returns the receipt of an included operation (eth_getUserOperationReceipt), or an
// error matching [userop.ErrNotFound] while there is none. It asks once: when to ask again is up to the
// caller, who may be one of many.
func (c *Client) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	var receipt userop.Receipt
	if err := c.call(ctx, &receipt, "eth_getUserOperationReceipt", hash); err != nil {
		return nil, notFound(err, hash)
	}
	if receipt.UserOpHash != hash {
		return nil, fmt.Errorf("bundler: asked for the receipt of %s it gave that of %s", hash, receipt.UserOpHash)
	}
	return &receipt, nil
}

// KnownOperation is an operation as a bundler has it.
type KnownOperation struct {
	Operation  userop.Operation
	EntryPoint common.Address
	// TransactionHash, BlockHash and BlockNumber are zero while the operation waits in the mempool.
	TransactionHash common.Hash
	BlockHash       common.Hash
	BlockNumber     uint64
}

// Included reports whether the operation is on chain.
func (k *KnownOperation) Included() bool { return k.TransactionHash != (common.Hash{}) }

// knownOperation is the answer of eth_getUserOperationByHash.
type knownOperation KnownOperation

// UnmarshalJSON reads the answer: the operation under "userOperation", or, as Biconomy has it, beside the
// other fields.
func (k *knownOperation) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read knownOperation
	var block quantity.Quantity
	if obj.Has("userOperation") {
		obj.Require("userOperation", &read.Operation)
	} else if err := read.Operation.UnmarshalJSON(data); err != nil {
		return err
	}
	obj.Require("entryPoint", &read.EntryPoint)
	obj.Optional("transactionHash", &read.TransactionHash)
	obj.Optional("blockHash", &read.BlockHash)
	obj.Optional("blockNumber", &block)
	if err := obj.Err(); err != nil {
		return err
	}
	if read.BlockNumber, err = block.Uint64(); err != nil {
		return fmt.Errorf("blockNumber: %w", err)
	}
	*k = read
	return nil
}

// UserOperationByHash returns an operation that the bundler or the chain has (eth_getUserOperationByHash), or
// an error matching [userop.ErrNotFound]. Not every bundler answers for operations that are still in its
// mempool. The answer is the bundler's word alone: [userop.Operation.Hash] tells whether it is the operation
// that was asked for.
func (c *Client) UserOperationByHash(ctx context.Context, hash common.Hash) (*KnownOperation, error) {
	var known knownOperation
	if err := c.read(ctx, &known, "eth_getUserOperationByHash", hash); err != nil {
		return nil, notFound(err, hash)
	}
	return (*KnownOperation)(&known), nil
}
