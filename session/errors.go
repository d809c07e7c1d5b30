package session

import "errors"

// What can be wrong with a session. Every error of this package matches one of them, [policy.ErrInvalid] or a
// [*policy.Violation], with errors.Is or errors.As.
var (
	// ErrNotFound means that the store holds nothing for the account on that chain.
	ErrNotFound = errors.New("no session stored")
	// ErrNoLeaf means that the session has no such leaf.
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
	// ErrRootMismatch means that the root on chain, the root in the store and the stored leaves do
	// not agree; see [*RootMismatch].
	ErrRootMismatch = errors.New("session root mismatch")
	// ErrNoKey means that the keyring does not hold the session key.
	ErrNoKey = errors.New("session key missing")
	// ErrWrongKey means that a signature or key does not belong to the expected address.
	ErrWrongKey = errors.New("wrong session key")
	// ErrLaneLost means that a lane of the account's nonces is leased to somebody else, or to nobody.
	ErrLaneLost = errors.New("lane lost")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("session store is closed")
)
