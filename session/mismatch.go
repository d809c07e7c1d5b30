package session

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// RootMismatch says which roots do not agree. It matches [ErrRootMismatch].
type RootMismatch struct {
	Ref Ref
	// Stored is the root the store names, Leaves the root its leaves hash to.
	Stored, Leaves common.Hash
	// Chain is the root the session key manager returned; nil if the chain is not part of it.
	Chain *common.Hash
	// Pending says that the difference is within the change that waits for the chain.
	Pending bool
	// Lost are the IDs of stored leaves that the root on chain does not vouch for.
	Lost []string
}

func newRootMismatch(ref Ref, state *State, chain common.Hash) *RootMismatch {
	m := &RootMismatch{Ref: ref, Stored: state.Root, Leaves: state.Root, Chain: &chain}
	for i := range state.Leaves {
		if l := &state.Leaves[i]; l.InTree && l.Status != StatusRevoked {
			m.Lost = append(m.Lost, l.ID)
		}
	}
	return m
}

// Error says which roots differ and what can be done.
func (m *RootMismatch) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v of %s: ", ErrRootMismatch, m.Ref)
	switch {
	case m.Chain != nil && *m.Chain == (common.Hash{}):
		fmt.Fprintf(&b, "the chain has no root, the store has %s: the grant never landed, or all sessions were revoked elsewhere; grant again with account.ReplaceRoot", m.Stored)
	case m.Chain != nil:
		fmt.Fprintf(&b, "the chain has %s, the store has %s: another service changed the account's sessions; Adopt its document, or set another root with account.ReplaceRoot, which cancels what is under this one", *m.Chain, m.Stored)
	case m.Pending:
		fmt.Fprintf(&b, "the leaves of the pending change hash to %s, the store names %s: the store was changed from outside; restore it from a backup", m.Leaves, m.Stored)
	default:
		fmt.Fprintf(&b, "the stored leaves hash to %s, the store names %s: the store was changed from outside; restore it from a backup", m.Leaves, m.Stored)
	}
	if len(m.Lost) > 0 {
		fmt.Fprintf(&b, "; sessions that cannot be proven: %s", strings.Join(m.Lost, ", "))
	}
	return b.String()
}

// Is makes a RootMismatch match [ErrRootMismatch].
func (m *RootMismatch) Is(target error) bool { return target == ErrRootMismatch }
