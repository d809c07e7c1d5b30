package filestore

import (
	"errors"
	"fmt"

	"github.com/go-sesame/sesame/session"
)

var (
	// ErrInUse means that another process has the store open for writing.
	ErrInUse = errors.New("session store is in use")
	// ErrReadOnly means that the store was opened with [OpenReadOnly].
	ErrReadOnly = errors.New("session store was opened for reading only; open it with Open to change it")
	// ErrLooseMode means that others than the user of this process may read the store, or own it.
	ErrLooseMode = errors.New("session store is open to others")
)

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; restore the file from a backup", session.ErrDamaged, fmt.Sprintf(format, args...))
}

// gone says that a file of the store is not there, or not the one any more that the store was opened with.
func gone(path string) error {
	return fmt.Errorf("%w: %s was deleted or replaced; close the store in all processes, put back what was there, and open it again", session.ErrDamaged, path)
}
