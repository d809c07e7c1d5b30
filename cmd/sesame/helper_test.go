package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func copyDir(t *testing.T, to, from string) {
	t.Helper()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	entries, err := os.ReadDir(to)
	require.NoError(t, err)
	for _, entry := range entries {
		require.NoError(t, os.Chmod(to+"/"+entry.Name(), 0o600))
	}
}
