// Package lanekey makes the keys of lanes: the upper 192 bits of an account's nonces at the EntryPoint.
package lanekey

import (
	"crypto/rand"

	"github.com/holiman/uint256"
)

// Size is how many bytes the key of a lane has, Bits how many bits.
const (
	Size = 24
	Bits = 8 * Size
)

// New returns the key of a new lane: random, so that nobody else uses it.
func New() (key uint256.Int) {
	var bytes [Size]byte
	rand.Read(bytes[:]) // never fails
	return *key.SetBytes(bytes[:])
}
