package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// What can be wrong with a session. Every error of this package matches one of them, [policy.ErrInvalid] or a
// [*policy.Violation], with errors.Is or errors.As.
var (
	// ErrNotFound means that the store holds nothing for the account on that chain.
	ErrNotFound = errors.New("no session stored")
	// ErrNoLeaf means that the account has no such session, or the tree no such leaf.
	ErrNoLeaf = errors.New("no such session leaf")
	// ErrAmbiguous means that a lookup fits several leaves.
	ErrAmbiguous = errors.New("several session leaves fit")
	// ErrConflict means that the store changed since it was read: read again and decide anew.
	ErrConflict = errors.New("session store changed meanwhile")
	// ErrPending means that the leaf, or a change of the account's root, waits for the chain.
	ErrPending = errors.New("session is pending")
	// ErrRevoked means that the leaf was revoked; it never signs again.
	ErrRevoked = errors.New("session is revoked")
	// ErrExpired means that the leaf's window is over.
	ErrExpired = errors.New("session is expired")
	// ErrNotYetValid means that the leaf's window has not begun.
	ErrNotYetValid = errors.New("session is not yet valid")
	// ErrRootMismatch means that the root on chain, the root in the store and the stored leaves do not agree;
	// see [*RootMismatch].
	ErrRootMismatch = errors.New("session root mismatch")
	// ErrNoKey means that the keyring does not hold the session key.
	ErrNoKey = errors.New("session key missing")
	// ErrWrongKey means that a signature or key does not belong to the expected address.
	ErrWrongKey = errors.New("wrong session key")
	// ErrLaneLost means that a lane of the account's nonces is leased to somebody else, or to nobody.
	ErrLaneLost = errors.New("lane lost")
	// ErrDamaged means that a store's data is not what was written to it: nothing is signed or changed with
	// it.
	ErrDamaged = errors.New("session store is damaged")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("session store is closed")
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
	// TakenBack is the operation of the last change that landed, where Chain is the root from before it and
	// its nonce is free there: the chain went back, or the node lags behind. Zero otherwise.
	TakenBack common.Hash
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
	case m.TakenBack != (common.Hash{}):
		fmt.Fprintf(&b, "the chain went back to the root before the last change, or its node lags behind: it has %s, and operation %s, which set %s, is not there; call account.Account's Reconcile, which sends that again", *m.Chain, m.TakenBack, m.Stored)
	case m.Chain != nil && *m.Chain == (common.Hash{}):
		fmt.Fprintf(&b, "the chain has no root, the store has %s: the grant never landed, all sessions were revoked elsewhere, or the chain went back by more than one change; grant again with account.ReplaceRoot", m.Stored)
	case m.Chain != nil:
		fmt.Fprintf(&b, "the chain has %s, the store has %s: another service changed the account's sessions, or the chain went back by more than one change; Adopt that service's document, or set another root with account.ReplaceRoot, which cancels what is under this one", *m.Chain, m.Stored)
	case m.Pending:
		fmt.Fprintf(&b, "the leaves of the pending change hash to %s, the store names %s: the store was changed from outside; restore it from a backup, and suspend again what was stopped since", m.Leaves, m.Stored)
	default:
		fmt.Fprintf(&b, "the stored leaves hash to %s, the store names %s: the store was changed from outside; restore it from a backup, and suspend again what was stopped since", m.Leaves, m.Stored)
	}
	if len(m.Lost) > 0 {
		fmt.Fprintf(&b, "; sessions that cannot be proven: %s", strings.Join(idTexts(m.Lost), ", "))
	}
	return b.String()
}

// Is makes a RootMismatch match [ErrRootMismatch].
func (m *RootMismatch) Is(target error) bool { return target == ErrRootMismatch }
