package abi

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Call is one call of a contract: what an account is asked to make, alone or in a batch.
type Call struct {
	// To is the contract, or whoever else is called.
	To common.Address
	// Value is what is sent along, in wei.
	Value uint256.Int
	// Data is the calldata, as [Function.Pack] makes it; empty for a transfer of value alone.
	Data []byte
}

// String says the call in words: what is sent along, the function's selector and how many bytes follow it,
// and who is called.
func (c Call) String() string {
	what := fmt.Sprintf("0x%x", c.Data)
	if rest := len(c.Data) - SelectorSize; rest >= 0 {
		what = fmt.Sprintf("0x%x with %d bytes", c.Data[:SelectorSize], rest)
	}
	return fmt.Sprintf("%s wei and %s to %s", c.Value.Dec(), what, c.To)
}
