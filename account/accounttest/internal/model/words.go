package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// flat puts words behind each other.
func flat(words []common.Hash) []byte {
	data := make([]byte, 0, len(words)*abi.WordSize)
	for _, w := range words {
		data = append(data, w[:]...)
	}
	return data
}

func topicOf(signature string) common.Hash { return crypto.Keccak256Hash([]byte(signature)) }

func numberWord(n *uint256.Int) common.Hash { return n.Bytes32() }

func uintWord(n uint64) common.Hash { return uint256.NewInt(n).Bytes32() }

func flagWord(set bool) common.Hash {
	if set {
		return uintWord(1)
	}
	return common.Hash{}
}

// Results of functions.

func number(n uint256.Int) ([]byte, error) { return abiword.AppendUint256(nil, &n), nil }

func address(a common.Address) ([]byte, error) { return abiword.AppendAddress(nil, a), nil }

func flag(set bool) ([]byte, error) { return flat([]common.Hash{flagWord(set)}), nil }

func text(s string) ([]byte, error) {
	return abiword.AppendBytes(abiword.AppendUint64(nil, abi.WordSize), []byte(s)), nil
}

// magic is a result of four bytes.
func magic(selector [abi.SelectorSize]byte) ([]byte, error) {
	result := make([]byte, abi.WordSize)
	copy(result, selector[:])
	return result, nil
}

func nothing() ([]byte, error) { return nil, nil }
