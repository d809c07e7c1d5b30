package session

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/contracts"
)

// Leaf is one session as the account's Merkle tree holds it: a validity window, the session
// validation module that judges each call, and the data that module judges by. The session key
// manager hashes it as uint48 validUntil ‖ uint48 validAfter ‖ address module ‖ bytes data.
type Leaf struct {
	// ID names the leaf within its [Ref]; it is not part of the leaf on chain.
	ID string
	// Status is what the store knows; see [Leaf.StatusAt] for what time makes of it.
	Status Status
	// InTree says that the leaf belongs to the tree of [State.Root]. A revoked leaf stays in that
	// tree until the chain shows a root without it.
	InTree bool
	// ValidUntil and ValidAfter are unix seconds below 2^48; a ValidUntil of 0 never ends.
	ValidUntil, ValidAfter uint64
	// Module is the session validation module.
	Module common.Address
	// Key is the address of the session key that signs.
	Key common.Address
	// Data is the module's sessionKeyData.
	Data []byte
	// Function is the human-readable form of the function that Data allows by its selector, such as
	// "function safeMint(address to)". It gives names to messages and is not part of the leaf on chain;
	// empty where it is not known.
	Function string
}

// Pack returns the leaf's bytes as the session key manager hashes them.
func (l *Leaf) Pack() []byte {
	return contracts.PackSessionLeaf(l.ValidUntil, l.ValidAfter, l.Module, l.Data)
}

// Hash returns keccak256 of [Leaf.Pack]: the node the leaf is in the Merkle tree.
func (l *Leaf) Hash() common.Hash { return crypto.Keccak256Hash(l.Pack()) }

// Window returns the leaf's validity window.
func (l *Leaf) Window() Window { return windowOf(l.ValidUntil, l.ValidAfter) }

// StatusAt returns the leaf's status at a moment: an active or pending leaf past its end is expired.
func (l *Leaf) StatusAt(now time.Time) Status {
	if l.Status != StatusRevoked && l.ValidUntil != 0 && now.Unix() > int64(l.ValidUntil) {
		return StatusExpired
	}
	return l.Status
}

// CheckTime returns an error matching [ErrExpired] or [ErrNotYetValid] if the leaf is outside its
// window at that moment. The EntryPoint takes both ends as inside.
func (l *Leaf) CheckTime(now time.Time) error {
	switch s := now.Unix(); {
	case l.ValidUntil != 0 && s > int64(l.ValidUntil):
		return fmt.Errorf("%w: %s ended at %s; grant a new session", ErrExpired, l.name(), formatTime(l.ValidUntil))
	case s < int64(l.ValidAfter):
		return fmt.Errorf("%w: %s starts at %s", ErrNotYetValid, l.name(), formatTime(l.ValidAfter))
	}
	return nil
}

// CheckEnd returns an error matching [ErrInvalid] if the leaf's window is over already.
func (l *Leaf) CheckEnd(now time.Time) error {
	if l.ValidUntil != 0 && now.Unix() > int64(l.ValidUntil) {
		return fmt.Errorf("%w: the window of %s ended at %s already", ErrInvalid, l.name(), formatTime(l.ValidUntil))
	}
	return nil
}

// Validate returns an error if the leaf cannot stand in a tree or a store.
func (l *Leaf) Validate() error {
	switch {
	case l.ID == "":
		return fmt.Errorf("%w: leaf without an ID", ErrInvalid)
	case l.ValidUntil > MaxTime || l.ValidAfter > MaxTime:
		return fmt.Errorf("%w: %s has a time beyond uint48 seconds", ErrInvalid, l.name())
	case l.Module == (common.Address{}):
		return fmt.Errorf("%w: %s has no session validation module", ErrInvalid, l.name())
	case l.Key == (common.Address{}):
		return fmt.Errorf("%w: %s has no session key address", ErrInvalid, l.name())
	case l.Status == StatusExpired:
		return fmt.Errorf("%w: %s is stored as expired; that is what time makes of an active or pending leaf, store it as one of these", ErrInvalid, l.name())
	}
	_, err := l.Status.MarshalText()
	return err
}

// Clone returns a copy that shares no memory with l.
func (l *Leaf) Clone() Leaf {
	clone := *l
	clone.Data = bytes.Clone(l.Data)
	return clone
}

func (l *Leaf) name() string {
	if l.ID == "" {
		return "session leaf of key " + l.Key.Hex()
	}
	return "session " + l.ID
}
