package accounttest

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

// What handleOps spends on an operation without charging it to the operation, in gas: as measured for an
// operation that is alone in its bundle, and for each word that is copied and hashed.
const (
	entryPointOverhead = 21_000
	wordOverhead       = 8
)

// preVerificationGas is what an operation has to pay the bundler for beyond what the EntryPoint measures: the
// transaction, as if it were alone in it, its calldata, and the EntryPoint's own work. Limits and fees count
// as full words, so that the result does not depend on their values.
func preVerificationGas(op *userop.Operation) uint64 {
	full := op.Clone()
	for _, field := range []*uint256.Int{
		&full.CallGasLimit, &full.VerificationGasLimit, &full.PreVerificationGas, &full.MaxFeePerGas, &full.MaxPriorityFeePerGas,
	} {
		field.SetUint64(1<<40 - 1)
	}
	data := packBundle([]*userop.Operation{full}, common.Address{0: 0xff})
	gas := params.TxGas + entryPointOverhead + wordOverhead*uint64(len(data)/abi.WordSize)
	for _, b := range data {
		if b == 0 {
			gas += params.TxDataZeroGas
		} else {
			gas += params.TxDataNonZeroGasEIP2028
		}
	}
	return gas
}
