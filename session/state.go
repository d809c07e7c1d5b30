package session

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// State is what a store holds for one [Ref].
type State struct {
	// Version counts the changes; 0 is a ref that was never stored.
	Version uint64
	Header
	// Leaves in the order they were granted; a leaf keeps its position for good.
	Leaves []Leaf
}

// Header is the part of a [State] that is not leaves.
type Header struct {
	// Root is the account's root on chain as the store believes it: the root of the tree over the leaves with
	// InTree.
	Root common.Hash `json:"root"`
	// Order are the IDs of the tree's leaves in the tree's order, where that is not the order of the store:
	// after another backend's root was adopted. Empty otherwise.
	Order []string `json:"order,omitempty"`
	// Pending is the change of the root that was sent and not yet seen on chain, nil for none.
	Pending *PendingRoot `json:"pending,omitempty"`
	// Landed is the last change of the root that landed, nil where none is known: to go back by, where the
	// chain takes it out again.
	Landed *LandedRoot `json:"landed,omitempty"`
}

// LandedRoot is a change that landed, with what it takes to make it pending again. One is kept, until the
// next lands or another root is adopted: how long a chain may still take a block back is for nobody here to
// say, and a later change of the root makes the one before it part of the past.
type LandedRoot struct {
	// Before is the root that it replaced, and Order the [Header].Order of that one's tree.
	Before common.Hash `json:"before"`
	Order  []string    `json:"order,omitempty"`
	// Activated are the IDs of the leaves that it made active: those of Change.Add that were new with it.
	Activated []string `json:"activated,omitempty"`
	// Change is the change as it was pending.
	Change PendingRoot `json:"change"`
}

// PendingRoot is a change of the root on its way to the chain.
type PendingRoot struct {
	// Root is the root being set.
	Root common.Hash `json:"root"`
	// OpHash is the userOpHash of the operation that sets it; zero until it was signed.
	OpHash common.Hash `json:"opHash"`
	// Nonce is that operation's nonce. Once the EntryPoint has counted past it and the root is not there, the
	// operation can never set it.
	Nonce uint256.Int `json:"nonce"`
	// Operation is the signed operation, for a later process to send the same bytes again; nil where the
	// change was begun by a program that did not keep it.
	Operation *userop.Operation `json:"operation,omitempty"`
	// Until is the last second, by the time of a block, at which the operation can be included, as far as its
	// signature and its sponsorship tell; 0 where no end is known.
	Until uint64 `json:"until,omitempty"`
	// Add and Remove are the IDs of the leaves that enter and leave the tree with it.
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// Change is one step from a [State] to the next.
type Change struct {
	// Header replaces the header.
	Header Header
	// Put are leaves to replace by ID or, where the ID is new, to append in this order.
	Put []Leaf
	// Delete are the IDs of leaves to forget. Only leaves that never reached the chain are deleted; a revoked
	// one stays as a tombstone.
	Delete []string
}

// Clone returns a copy that shares no memory with s.
func (s *State) Clone() *State {
	clone := &State{Version: s.Version, Header: s.Header.clone(), Leaves: make([]Leaf, len(s.Leaves))}
	for i := range s.Leaves {
		clone.Leaves[i] = s.Leaves[i].Clone()
	}
	return clone
}

// clone returns a copy that shares no memory with h.
func (h Header) clone() Header {
	h.Order = append([]string(nil), h.Order...)
	if h.Pending != nil {
		h.Pending = new(h.Pending.clone())
	}
	h.Landed = h.Landed.clone()
	return h
}

// clone returns a copy that shares no memory with p.
func (p PendingRoot) clone() PendingRoot {
	p.Add = append([]string(nil), p.Add...)
	p.Remove = append([]string(nil), p.Remove...)
	if p.Operation != nil {
		p.Operation = p.Operation.Clone()
	}
	return p
}

// clone returns a copy that shares no memory with l, nil for nil.
func (l *LandedRoot) clone() *LandedRoot {
	if l == nil {
		return nil
	}
	clone := LandedRoot{Before: l.Before, Change: l.Change.clone()}
	clone.Order = append(clone.Order, l.Order...)
	clone.Activated = append(clone.Activated, l.Activated...)
	return &clone
}
