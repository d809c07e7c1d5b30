package storekit

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

// NotFoundError returns the error for a ref that was never stored, matching [session.ErrNotFound].
func NotFoundError(ref session.Ref) error {
	return fmt.Errorf("%w for %s; grant or import one first", session.ErrNotFound, ref)
}

// ConflictError returns the error of a lost compare-and-set, matching [session.ErrConflict].
func ConflictError(ref session.Ref, want, have uint64) error {
	return fmt.Errorf("%w: %s is at version %d, the change was decided on version %d; open the sessions again and retry", session.ErrConflict, ref, have, want)
}

// NoKeyError returns the error of a key that is not there, matching [session.ErrNoKey].
func NoKeyError(ref session.Ref, key common.Address) error {
	return fmt.Errorf("%w: no key %s for %s; import it into the keyring or grant a session to a key it holds", session.ErrNoKey, key, ref)
}
