package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
)

// The files of a store.
const (
	dataName     = "sessions.db"
	newName      = "sessions.db.new" // until the first is complete
	dataLockName = "data.lock"       // readers share it, a commit has it alone
	useLockName  = "writer.lock"     // held by the process that may write
	useNoteName  = "writer.pid"      // which process that is, for an error of another
)

// checkNew returns an error if the data is missing where a store was: what is left of one shows that it was
// not made just now, and a new one would be without its sessions and its tombstones.
func checkNew(dir string) error {
	path := filepath.Join(dir, dataName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{dataLockName, dataLockName + filelock.GateSuffix, useLockName, useNoteName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%w: %s is gone, but %s is there; restore it from a backup or, to begin anew, delete what is left of the store in %s", session.ErrDamaged, path, name, dir)
		}
	}
	return nil
}

// anchors are the directory and the files that processes find each other by. Whoever deletes one lets another
// process take the same lock on a file of its own. They are kept open, so that no new file passes for one.
type anchors []*os.File

// openAnchors makes those of the locks that are not there yet.
func openAnchors(dir string, data string, locks ...string) (a anchors, err error) {
	for _, path := range append([]string{dir, data}, locks...) {
		flag := os.O_RDONLY
		if path != dir && path != data {
			flag |= os.O_CREATE
		}
		file, err := os.OpenFile(path, flag, 0o600)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock session store: %w", err), a.close())
		}
		a = append(a, file)
	}
	return a, nil
}

// check returns an error if the path of one leads to another, or to none.
func (a anchors) check() error {
	for _, file := range a {
		was, err := file.Stat()
		if err != nil {
			return err
		}
		if is, err := os.Stat(file.Name()); err != nil || !os.SameFile(was, is) {
			return gone(file.Name())
		}
	}
	return nil
}

func (a anchors) close() error {
	var errs []error
	for _, file := range a {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// DefaultDir returns the directory for sessions in the user's data directory: $XDG_DATA_HOME/sesame, by
// default ~/.local/share/sesame; on macOS ~/Library/Application Support/sesame; on Windows
// %LocalAppData%\sesame.
func DefaultDir() (string, error) {
	switch runtime.GOOS {
	case "windows", "darwin", "ios":
		base, err := os.UserConfigDir()
		if runtime.GOOS == "windows" {
			base, err = os.UserCacheDir() // %LocalAppData%, which does not roam between machines
		}
		if err != nil {
			return "", fmt.Errorf("find the user's data directory: %w", err)
		}
		return filepath.Join(base, "sesame"), nil
	}
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "sesame"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the user's data directory: %w", err)
	}
	return filepath.Join(home, ".local", "share", "sesame"), nil
}

// checkModes returns an error if others than the owner can get at the store.
func checkModes(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // has no modes; the user's directories are the user's
	}
	if err := checkMode(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{dataName, dataLockName, dataLockName + filelock.GateSuffix, useLockName, useNoteName} {
		if err := checkMode(filepath.Join(dir, name), 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func checkMode(path string, want fs.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("open session store: %w", err)
	}
	if err := checkOwner(path, info); err != nil {
		return err
	}
	if have := info.Mode().Perm(); have&^want != 0 {
		return fmt.Errorf("%w: %s has mode %#o; see who could read it, then: chmod %o %s", ErrLooseMode, path, have, want, path)
	}
	return nil
}
