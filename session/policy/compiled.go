package policy

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/internal/permission"
)

// Compiled is a policy as the account's Merkle tree holds it, a leaf: a validity window, the session
// validation module that judges each call, and the data that module judges by. The session key manager
// hashes it as uint48 validUntil ‖ uint48 validAfter ‖ address module ‖ bytes data.
type Compiled struct {
	// ValidUntil and ValidAfter are unix seconds below 2^48; a ValidUntil of 0 never ends.
	ValidUntil, ValidAfter uint64
	// Module is the session validation module.
	Module common.Address
	// Data is the module's sessionKeyData.
	Data []byte
	// Function is the human-readable form of the function that Data allows by its selector, such as
	// "function safeMint(address to)". It gives names to messages and is not part of the leaf on chain;
	// empty where it is not known.
	Function string
}

// Pack returns the leaf's bytes as the session key manager hashes them.
func (c *Compiled) Pack() []byte {
	return contracts.PackSessionLeaf(c.ValidUntil, c.ValidAfter, c.Module, c.Data)
}

// Hash returns keccak256 of [Compiled.Pack]: the node the leaf is in the Merkle tree.
func (c *Compiled) Hash() common.Hash { return crypto.Keccak256Hash(c.Pack()) }

// Window returns the validity window.
func (c *Compiled) Window() Window { return windowOf(c.ValidUntil, c.ValidAfter) }

// SessionKey returns the address of the session key that the data names. It returns false where the module
// is neither of m's, or cannot read the data.
func (c *Compiled) SessionKey(m Modules) (common.Address, bool) {
	switch m = m.WithDefaults(); c.Module {
	case m.ABI:
		p, ok := permission.Parse(c.Data)
		return p.Key, ok
	case m.ERC20:
		a, ok := parseAllowance(c.Data)
		return a.key, ok
	}
	return common.Address{}, false
}

// Targets reports whether c is an [ABI] policy for that contract and function selector, or an [ERC20] one
// for that token.
func (c *Compiled) Targets(m Modules, contract common.Address, selector [abi.SelectorSize]byte) bool {
	switch m = m.WithDefaults(); c.Module {
	case m.ABI:
		p, ok := permission.Parse(c.Data)
		return ok && p.Contract == contract && p.Selector == selector
	case m.ERC20:
		a, ok := parseAllowance(c.Data)
		return ok && a.token == contract
	}
	return false
}

// Clone returns a copy that shares no memory with c.
func (c *Compiled) Clone() Compiled {
	clone := *c
	clone.Data = bytes.Clone(c.Data)
	return clone
}
