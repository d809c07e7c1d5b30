package testutil

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Vectors returns the file of test vectors with this name, such as "accounts.json". It is looked for in the
// directory that SESAME_VECTORS names; where that is not set, in shared/vectors beside the module's root, and
// then in the testdata of the package under test.
func Vectors(t failer, name string) []byte {
	t.Helper()
	return firstFile(t, vectorDirs(), name)
}

// firstFile reads the file of that name in the first of the directories that has it.
func firstFile(t failer, dirs []string, name string) []byte {
	t.Helper()
	for _, dir := range dirs {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			return data
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("test vectors: %v", err)
		}
	}
	t.Fatalf("test vectors: no %s in %q", name, dirs)
	return nil
}

// Cases returns the file of answers from the field with this name, such as "services.jsonl". It is looked for
// in shared/cases beside the module's root, and then in the testdata of the package under test.
func Cases(t failer, name string) []byte {
	t.Helper()
	dirs := []string{"testdata"}
	if root, ok := moduleRoot(); ok {
		dirs = append([]string{filepath.Join(root, "..", "shared", "cases")}, dirs...)
	}
	return firstFile(t, dirs, name)
}

// failer is the part of testing.TB that these need.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func vectorDirs() []string {
	if dir := os.Getenv("SESAME_VECTORS"); dir != "" {
		return []string{dir}
	}
	dirs := []string{"testdata"} // a test runs in its package's directory
	if root, ok := moduleRoot(); ok {
		dirs = append([]string{filepath.Join(root, "..", "shared", "vectors")}, dirs...)
	}
	return dirs
}

// moduleRoot walks up from the working directory to the one with go.mod.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", false
}
