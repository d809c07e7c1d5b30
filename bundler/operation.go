package bundler

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/opjson"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// SendUserOperation submits op and returns the hash the bundler knows it by (eth_sendUserOperation). It sends
// once. A bundler that refuses op because it has it already has accepted it: the hash is then computed here,
// for the chain that the bundler says it serves.
func (c *Client) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	params := []any{opjson.InForm{Operation: (*contracts.UserOperation)(op)}, opjson.Address(entryPoint)}
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

// UserOperationReceipt returns the receipt of an included operation (eth_getUserOperationReceipt), or an
// error matching [userop.ErrNotFound] while there is none. It asks once: when to ask again is up to the
// caller, who may be one of many.
func (c *Client) UserOperationReceipt(ctx context.Context, hash common.Hash) (*userop.Receipt, error) {
	var receipt userop.Receipt
	err := c.call(ctx, &receipt, "eth_getUserOperationReceipt", hash)
	return checked(&receipt, err, hash)
}

// KnownOperation is an operation as a bundler has it.
type KnownOperation struct {
	Operation  userop.Operation
	EntryPoint common.Address
	// TransactionHash is zero while the operation waits in the mempool. Some bundlers tell the transaction
	// that they are trying: before it is in a block, BlockHash and BlockNumber are zero.
	TransactionHash common.Hash
	BlockHash       common.Hash
	BlockNumber     uint64
}

// Included reports whether the bundler says that the operation is in a block.
func (k *KnownOperation) Included() bool { return k.BlockHash != (common.Hash{}) || k.BlockNumber != 0 }

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
	obj.OptionalHex("transactionHash", &read.TransactionHash)
	obj.OptionalHex("blockHash", &read.BlockHash)
	obj.OptionalHex("blockNumber", &block)
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
