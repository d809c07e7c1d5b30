package tsstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/tsstore"
)

func TestPingOfADirectoryThatIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store, err := tsstore.OpenPlaintext(dir, ref.ChainID)
	require.NoError(t, err)
	require.NoError(t, store.Ping(t.Context()))
	require.NoError(t, os.Remove(dir))
	require.ErrorIs(t, store.Ping(t.Context()), os.ErrNotExist)
	require.NoDirExists(t, dir)
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	require.Error(t, store.Ping(t.Context()), "it is no directory any more")
}
