package userop

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// Receipt is what became of an included operation.
type Receipt struct {
	UserOpHash common.Hash
	EntryPoint common.Address
	Sender     common.Address
	Nonce      uint256.Int
	// Paymaster is zero when the account paid itself.
	Paymaster common.Address
	// ActualGasCost is what the operation cost its payer, in wei.
	ActualGasCost uint256.Int
	// ActualGasUsed is the gas charged to the operation.
	ActualGasUsed uint256.Int
	// Success is false when the account's own call reverted. The operation is on chain all the same.
	Success bool
	// Reason is the bundler's words for the revert, if it has any.
	Reason string
	// RevertData is what the inner call reverted with, read from the EntryPoint's
	// UserOperationRevertReason event; nil where there is none.
	RevertData []byte

	// TransactionHash, BlockHash and BlockNumber say where the bundle landed.
	TransactionHash common.Hash
	BlockHash       common.Hash
	BlockNumber     uint64
	// Logs are the logs of the operation itself, as far as the bundler tells them apart.
	Logs []*types.Log
}
