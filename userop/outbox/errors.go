package outbox

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// What an outbox answers.
var (
	// ErrInvalid means that what was to be written down contradicts itself, or is beyond what is taken.
	ErrInvalid = errors.New("invalid send")
	// ErrNotFound means that there is no such entry, or not any more.
	ErrNotFound = errors.New("no such send")
	// ErrExists means that the key has an entry; see [*TakenError].
	ErrExists = errors.New("send is recorded already")
	// ErrNonceTaken means that an open entry of the account has the nonce; see [*TakenError].
	ErrNonceTaken = errors.New("nonce is taken by another send")
	// ErrReadOnly means that this process may only look things up: nothing was written down.
	ErrReadOnly = errors.New("outbox is open for reading only")
	// ErrConflict means that the entry is at another version, or in another state.
	ErrConflict = errors.New("send changed meanwhile")
	// ErrSettled means that the entry has an outcome, and is to have no other.
	ErrSettled = errors.New("send is settled")
	// ErrLeased means that somebody else works on the entry.
	ErrLeased = errors.New("send is leased to another process")
	// ErrGiven means that bytes of the entry may have been given to a service: its key stays.
	ErrGiven = errors.New("send may have been given to a service")
)

// TakenError is a key, or a nonce, that another entry has. It matches [ErrExists] or [ErrNonceTaken].
type TakenError struct {
	// Entry is the one that has it.
	Entry *Entry
	// Err is ErrExists or ErrNonceTaken.
	Err error
}

// Error says which entry has what was asked for.
func (e *TakenError) Error() string {
	if e.Err == ErrNonceTaken {
		return fmt.Sprintf("%v: %s has nonce %s until it ends; use another one", e.Err, e.Entry, e.Entry.Nonce.Hex())
	}
	return fmt.Sprintf("%v: %s", e.Err, e.Entry)
}

// Unwrap returns what was taken.
func (e *TakenError) Unwrap() error { return e.Err }

// FreeKeyError returns the error of a key that has no entry, matching [ErrNotFound].
func FreeKeyError(s Send) error {
	return fmt.Errorf("%w: no %s of %s", ErrNotFound, s.name(), place(s.ChainID, s.Account))
}

// GoneError returns the error of an entry that is not there any more, matching [ErrNotFound].
func GoneError(id uint64) error {
	return fmt.Errorf("%w: no entry %d; it was freed, or swept after its end", ErrNotFound, id)
}

// UnknownHashError returns the error of an operation that is no entry's, matching [ErrNotFound].
func UnknownHashError(hash common.Hash) error {
	return fmt.Errorf("%w: no operation %s was written down", ErrNotFound, hash)
}
