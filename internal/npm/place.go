package npm

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Root returns the directory that has what was ever made of a kind, in the user's cache directory.
func Root(kind string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for %s: %w", kind, err)
	}
	return filepath.Join(cache, "go-sesame", kind), nil
}

// Place returns where what is made of the files belongs: in [Root], under their [Hash].
func Place(kind string, files fs.FS) (string, error) {
	root, err := Root(kind)
	if err != nil {
		return "", err
	}
	sum, err := Hash(files)
	return filepath.Join(root, sum), err
}

// Remove removes what was ever made of the build's kind.
func (b *Build) Remove() error { return os.RemoveAll(filepath.Dir(b.Dir)) }
