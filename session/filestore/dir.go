package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

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
	if have := info.Mode().Perm(); have&^want != 0 {
		return fmt.Errorf("%w: %s has mode %#o; see who could read it, then: chmod %o %s", ErrLooseMode, path, have, want, path)
	}
	return nil
}
