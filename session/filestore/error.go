package filestore

import (
	"errors"
	"fmt"
)

var (
	// ErrInUse means that another process has the store open for writing.
	ErrInUse = errors.New("session store is in use")
	// ErrReadOnly means that the store was opened with [OpenReadOnly].
	ErrReadOnly = errors.New("session store is open for reading only")
	// ErrLooseMode means that others than the owner may read the store.
	ErrLooseMode = errors.New("session store is open to others")
	// ErrDamaged means that the data is not what this package wrote.
	ErrDamaged = errors.New("session store is damaged")
)

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; restore the file from a backup", ErrDamaged, fmt.Sprintf(format, args...))
}
