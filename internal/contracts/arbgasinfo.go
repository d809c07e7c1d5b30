package contracts

import (
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
)

// ArbGasInfo returns the interface of the precompile in which Arbitrum's chains say what they charge, as far
// as clients meet it.
func ArbGasInfo() *Contract { return arbGasInfo() }

var arbGasInfo = sync.OnceValue(func() *Contract {
	return mustParse(`function getPricesInWei() view returns (uint256 perL2Tx, uint256 perL1CalldataUnit, uint256 perStorageAllocation, uint256 perArbGasBase, uint256 perArbGasCongestion, uint256 perArbGasTotal)`)
})

// ArbGasInfoAddress is where it is on every such chain.
var ArbGasInfoAddress = common.HexToAddress("0x000000000000000000000000000000000000006C")

var selectorGetPricesInWei = newSelector(0x41b247a8)

// GetPricesInWei returns the calldata of getPricesInWei(). [DecodeArbitrumPrices] reads the result, of
// [ArbitrumPricesSize] bytes.
func GetPricesInWei() []byte { return newCall(selectorGetPricesInWei, 0) }

// ArbitrumPrices is what a chain of Arbitrum's charges, in wei.
type ArbitrumPrices struct {
	// PerTransaction is for a transaction as such, and PerCalldataUnit for a sixteenth of a byte of it on L1.
	PerTransaction, PerCalldataUnit uint256.Int
	// PerGas is the price of gas, its base fee.
	PerGas uint256.Int
}

// ArbitrumPricesSize is the size of the result of getPricesInWei, in bytes.
const ArbitrumPricesSize = 6 * abiword.Size

// DecodeArbitrumPrices reads the result of getPricesInWei.
func DecodeArbitrumPrices(result []byte) (p ArbitrumPrices, err error) {
	if len(result) != ArbitrumPricesSize {
		return p, fmt.Errorf("result of %s where six words are expected", abiword.Count(len(result), "byte"))
	}
	p.PerTransaction.SetBytes32(result)
	p.PerCalldataUnit.SetBytes32(result[abiword.Size:])
	p.PerGas.SetBytes32(result[5*abiword.Size:])
	return p, nil
}
