package durable_test

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/internal/durable"
)

func TestSyncDir(t *testing.T) {
	require.NoError(t, durable.SyncDir(t.TempDir()))
	if runtime.GOOS != "windows" { // where there is nothing to do
		require.ErrorIs(t, durable.SyncDir(filepath.Join(t.TempDir(), "gone")), fs.ErrNotExist)
	}
}
