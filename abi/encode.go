package abi

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// WordSize is the size of one ABI word in bytes.
const WordSize = 32

// The Append functions are the encoder of the hot path: operation hashes, session signatures and
// the account's own calls are built with them, without reflection and with one allocation.

// AppendWord appends 32 bytes as they are.
func AppendWord(dst []byte, word common.Hash) []byte {
	return append(dst, word[:]...)
}

// AppendUint64 appends v as one big-endian word.
func AppendUint64(dst []byte, v uint64) []byte {
	var word [WordSize]byte
	binary.BigEndian.PutUint64(word[WordSize-8:], v)
	return append(dst, word[:]...)
}

// AppendUint256 appends v as one big-endian word.
func AppendUint256(dst []byte, v *uint256.Int) []byte {
	word := v.Bytes32()
	return append(dst, word[:]...)
}

// AppendAddress appends a, left-padded to one word.
func AppendAddress(dst []byte, a common.Address) []byte {
	var word [WordSize]byte
	copy(word[WordSize-common.AddressLength:], a[:])
	return append(dst, word[:]...)
}

// AppendBytes appends the tail of a dynamic bytes value: its length as one word, then the bytes
// padded on the right to whole words. See [BytesSize] for how much that is.
func AppendBytes(dst, b []byte) []byte {
	dst = AppendUint64(dst, uint64(len(b)))
	dst = append(dst, b...)
	if rest := len(b) % WordSize; rest != 0 {
		var pad [WordSize]byte
		dst = append(dst, pad[rest:]...)
	}
	return dst
}

// AppendHashes appends the tail of a dynamic bytes32[] value: its length as one word, then the words.
func AppendHashes(dst []byte, hashes []common.Hash) []byte {
	dst = AppendUint64(dst, uint64(len(hashes)))
	for i := range hashes {
		dst = append(dst, hashes[i][:]...)
	}
	return dst
}

// BytesSize is how many bytes [AppendBytes] appends for a value of n bytes.
func BytesSize(n int) int {
	return WordSize + (n+WordSize-1)/WordSize*WordSize
}

// HashesSize is how many bytes [AppendHashes] appends for n hashes.
func HashesSize(n int) int {
	return WordSize + n*WordSize
}
