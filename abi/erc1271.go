package abi

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// selectorIsValidSignature is also what ERC-1271 has a contract answer for a valid signature.
var selectorIsValidSignature = newSelector(0x1626ba7e)

// IsValidSignature returns the calldata of ERC-1271's isValidSignature(bytes32,bytes).
// [DecodeIsValidSignature] reads the result.
func IsValidSignature(hash common.Hash, signature []byte) []byte {
	call := newCall(selectorIsValidSignature, 2*WordSize+BytesSize(len(signature)))
	call = AppendWord(call, hash)
	call = AppendUint64(call, 2*WordSize)
	return AppendBytes(call, signature)
}

// DecodeIsValidSignature reads the result of ERC-1271's isValidSignature: true for the magic value
// 0x1626ba7e, false for any other bytes4. Contracts may also revert for an invalid signature.
func DecodeIsValidSignature(result []byte) (bool, error) {
	word, err := DecodeHash(result)
	if err != nil {
		return false, err
	}
	if !isZero(word[SelectorSize:]) {
		return false, fmt.Errorf("result %s is not a bytes4", word)
	}
	return [SelectorSize]byte(word[:SelectorSize]) == selectorIsValidSignature, nil
}
