// Package abiword encodes the words that ABI-encoded data is made of, without reflection: what package abi
// and the encoders of single contracts have in common.
package abiword

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Size is the size of one ABI word in bytes.
const Size = 32

// The Append functions are the encoder of the hot path: operation hashes, session signatures and the
// account's own calls are built with them, without reflection and with one allocation.

// AppendWord appends 32 bytes as they are.
func AppendWord(dst []byte, word common.Hash) []byte {
	return append(dst, word[:]...)
}

// AppendUint64 appends v as one big-endian word.
func AppendUint64(dst []byte, v uint64) []byte {
	var word [Size]byte
	binary.BigEndian.PutUint64(word[Size-8:], v)
	return append(dst, word[:]...)
}

// AppendUint256 appends v as one big-endian word.
func AppendUint256(dst []byte, v *uint256.Int) []byte {
	word := v.Bytes32()
	return append(dst, word[:]...)
}

// AppendAddress appends a, left-padded to one word.
func AppendAddress(dst []byte, a common.Address) []byte {
	var word [Size]byte
	copy(word[Size-common.AddressLength:], a[:])
	return append(dst, word[:]...)
}

// AppendBytes appends the tail of a dynamic bytes value: its length as one word, then the bytes padded on the
// right to whole words. See [BytesSize] for how much that is.
func AppendBytes(dst, b []byte) []byte {
	dst = AppendUint64(dst, uint64(len(b)))
	dst = append(dst, b...)
	if rest := len(b) % Size; rest != 0 {
		var pad [Size]byte
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

// Contracts keep times as uint48 seconds.
const (
	// Uint48Size is how many bytes [AppendUint48] appends.
	Uint48Size = 6
	// MaxUint48 is the largest uint48.
	MaxUint48 = 1<<(8*Uint48Size) - 1
)

// AppendUint48 appends the low 48 bits of v, big-endian and without padding: a time, tightly packed.
func AppendUint48(dst []byte, v uint64) []byte {
	var word [8]byte
	binary.BigEndian.PutUint64(word[:], v)
	return append(dst, word[8-Uint48Size:]...)
}

// BytesSize is how many bytes [AppendBytes] appends for a value of n bytes.
func BytesSize(n int) int {
	return Size + (n+Size-1)/Size*Size
}

// HashesSize is how many bytes [AppendHashes] appends for n hashes.
func HashesSize(n int) int {
	return Size + n*Size
}

// IsZero reports whether all bytes are zero, as padding has to be.
func IsZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
