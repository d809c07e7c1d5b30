//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// checkOwner does nothing: on Windows, the user's directories are the user's.
func checkOwner(string, fs.FileInfo) error { return nil }

// dirLock is a file beside the others, where a directory cannot be locked. Windows deletes no file that is
// open.
func dirLock(dir string) *flock.Flock { return flock.New(filepath.Join(dir, "directory.lock")) }

// releaseFile closes a file that bbolt had locked.
func releaseFile(file *os.File) error { return file.Close() }

// lock returns an error: the database is to be closed, and opened anew with the other lock.
func (*database) lock(int64) error { return errors.ErrUnsupported }
