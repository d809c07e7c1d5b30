// Package keccak hashes where it is done for every operation, leaf and node, without an allocation.
package keccak

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Hasher is Keccak-256 with memory of its own, for what is hashed and for the sum: what goes through the
// interface of the hash function would be allocated each time. It is for one goroutine.
type Hasher struct {
	state crypto.KeccakState
	buf   []byte
	sum   common.Hash
}

// room is how much fits the buffer of a hasher: what an operation is packed to, and most leaves.
const room = 512

var pool = sync.Pool{New: func() any {
	return &Hasher{state: crypto.NewKeccakState(), buf: make([]byte, 0, room)}
}}

// Get returns a hasher, to be given back with Put.
func Get() *Hasher { return pool.Get().(*Hasher) }

// Put gives the hasher back.
func (h *Hasher) Put() { pool.Put(h) }

// Buffer returns an empty slice with room, to append what is to be hashed to. It is the same one each time.
func (h *Hasher) Buffer() []byte { return h.buf }

// Sum returns the Keccak-256 of b.
func (h *Hasher) Sum(b []byte) common.Hash {
	if len(b) == 0 {
		return ofNothing
	}
	h.state.Reset()
	h.state.Write(b)
	h.state.Read(h.sum[:])
	return h.sum
}

// ofNothing is the hash of no bytes, which the initCode of most operations is.
var ofNothing = common.HexToHash("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
