package contracts

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/abiword"
)

// GasPriceOracle returns the interface of the contract in which chains of the OP stack say what they charge
// for a transaction's data on L1, as far as clients meet it.
func GasPriceOracle() *Contract { return gasPriceOracle() }

var gasPriceOracle = sync.OnceValue(func() *Contract {
	return mustParse(`function getL1Fee(bytes _data) view returns (uint256)`)
})

// GasPriceOracleAddress is where it is on every such chain.
var GasPriceOracleAddress = common.HexToAddress("0x420000000000000000000000000000000000000F")

var selectorGetL1Fee = newSelector(0x49948e0e)

// GetL1Fee returns the calldata of getL1Fee(bytes): what the chain charges for an unsigned transaction's
// bytes on L1. [DecodeUint256] reads the result, in wei.
func GetL1Fee(unsigned []byte) []byte {
	call := newCall(selectorGetL1Fee, abiword.Size+abiword.BytesSize(len(unsigned)))
	return abiword.AppendBytes(abiword.AppendUint64(call, abiword.Size), unsigned)
}
