package contracts

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// selectorIsValidSignature is also what ERC-1271 has a contract answer for a valid signature.
var selectorIsValidSignature = newSelector(0x1626ba7e)

// IsValidSignature returns the calldata of ERC-1271's isValidSignature(bytes32,bytes).
// [DecodeIsValidSignature] reads the result.
func IsValidSignature(hash common.Hash, signature []byte) []byte {
	call := newCall(selectorIsValidSignature, 2*abiword.Size+abiword.BytesSize(len(signature)))
	call = abiword.AppendWord(call, hash)
	call = abiword.AppendUint64(call, 2*abiword.Size)
	return abiword.AppendBytes(call, signature)
}

// DecodeIsValidSignature reads the result of ERC-1271's isValidSignature: true for the magic value
// 0x1626ba7e, false for any other bytes4. Contracts may also revert for an invalid signature.
func DecodeIsValidSignature(result []byte) (bool, error) {
	word, err := DecodeHash(result)
	if err != nil {
		return false, err
	}
	if !abiword.IsZero(word[abi.SelectorSize:]) {
		return false, fmt.Errorf("result %s is not a bytes4", word)
	}
	return [abi.SelectorSize]byte(word[:abi.SelectorSize]) == selectorIsValidSignature, nil
}
