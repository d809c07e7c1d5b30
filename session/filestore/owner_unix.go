//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// checkOwner returns an error if another user owns what is the store's, and can change it whatever its mode.
func checkOwner(path string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user %d, and this process runs as %d; run it as that user, or see who could change it, then: chown %d %s", ErrLooseMode, path, stat.Uid, os.Geteuid(), os.Geteuid(), path)
	}
	return nil
}

// dirLock is a lock on the directory itself, which is not deleted as a file in it is.
func dirLock(dir string) *flock.Flock { return flock.New(dir, flock.SetFlag(os.O_RDONLY)) }

// releaseFile closes a file and gives up bbolt's lock on it, which the file keeps as long as it is in memory.
func releaseFile(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}

// lock turns bbolt's lock on the file into one of a writer (exclusive), of a reader (shared), or none. It
// waits for nobody. After an error there may be no lock any more, and the database is to be closed.
func (d *database) lock(share int64) error {
	how := syscall.LOCK_UN
	switch share {
	case shared:
		how = syscall.LOCK_SH
	case exclusive:
		how = syscall.LOCK_EX
	}
	return syscall.Flock(int(d.file.Fd()), how|syscall.LOCK_NB)
}
