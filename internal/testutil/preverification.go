package testutil

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// entryPointOverhead is the gas that handleOps spends on an operation without charging it to the operation.
const entryPointOverhead = 18_000

// preVerificationGas is what an operation has to pay the bundler for beyond what the EntryPoint measures: the
// transaction, as if it were alone in it, its calldata, and the EntryPoint's own work. Limits and fees
// count as full words, so that the result does not depend on their values.
func preVerificationGas(op *userop.Operation) uint64 {
	full := op.Clone()
	for _, field := range []*uint256.Int{
		&full.CallGasLimit, &full.VerificationGasLimit, &full.PreVerificationGas, &full.MaxFeePerGas, &full.MaxPriorityFeePerGas,
	} {
		field.SetUint64(1<<40 - 1)
	}
	var gas uint64
	for _, b := range packBundle([]*userop.Operation{full}, common.Address{0: 0xff}) {
		if b == 0 {
			gas += params.TxDataZeroGas
		} else {
			gas += params.TxDataNonZeroGasEIP2028
		}
	}
	return gas + params.TxGas + entryPointOverhead
}
