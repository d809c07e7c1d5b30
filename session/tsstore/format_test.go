package tsstore_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session/tsstore"
)

// writeFixture has [TestWriteFixture] keep what the store of today writes: go test ./session/tsstore -run
// WriteFixture -fixture testdata/format2.
var writeFixture = flag.String("fixture", "", "directory to write a fixture of today's format to")

func TestWriteFixture(t *testing.T) {
	if *writeFixture == "" {
		t.Log("writes nothing unless it is told where")
		return
	}
	dir := t.TempDir()
	store, err := tsstore.OpenPlaintext(dir, storefixture.Chain)
	require.NoError(t, err)
	require.NoError(t, storefixture.Write(t.Context(), store, storefixture.Chain))
	require.NoError(t, os.MkdirAll(*writeFixture, 0o755))
	copyFiles(t, dir, *writeFixture)
}

// copyFiles copies the files in a directory, but no directories.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "0x*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(file)), content, 0o600))
	}
}

// TestFixtures opens what the stores of all formats wrote.
func TestFixtures(t *testing.T) {
	for _, name := range []string{"format1"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyFiles(t, filepath.Join("testdata", name), dir)
			store, err := tsstore.OpenPlaintext(dir, storefixture.Chain)
			require.NoError(t, err)
			require.NoError(t, storefixture.Require(t.Context(), store, storefixture.Chain))
		})
	}
}
