package artifacts

import (
	"embed"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/go-sesame/sesame/internal/npm"
)

// What the contracts are compiled from: our own, and the npm packages that the lock file pins.
//
//go:embed source/src source/build.mjs source/package.json source/package-lock.json source/.npmrc
var source embed.FS

// Source returns the files to compile the contracts from.
func Source() (fs.FS, error) { return fs.Sub(source, "source") }

// hash is of everything in [Source].
var hash = sync.OnceValues(func() (string, error) {
	files, err := Source()
	if err != nil {
		return "", err
	}
	return npm.Hash(files)
})

// Root returns the directory that has what was ever compiled, in the user's cache directory.
func Root() (string, error) { return npm.Root("contracts") }

// Dir returns the directory of the artifacts that are compiled from [Source]. It need not exist.
func Dir() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	sum, err := hash()
	return filepath.Join(root, sum), err
}

// Complete reports whether dir has every artifact.
func Complete(dir string) bool {
	for _, name := range slices.Collect(maps.Keys(names())) {
		if _, err := os.Stat(filepath.Join(dir, name+".json")); err != nil {
			return false
		}
	}
	return true
}
