package tsstore_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/session/tsstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	dirs := make(map[session.Store]string)
	open := func(t *testing.T, dir string) session.Store {
		store, err := tsstore.OpenPlaintext(dir, ref.ChainID)
		require.NoError(t, err)
		dirs[store] = dir
		return store
	}
	again := func(t *testing.T, store session.Store) session.Store { return open(t, dirs[store]) }
	storetest.Run(t, storetest.Config{
		Open:    func(t *testing.T) session.Store { return open(t, filepath.Join(t.TempDir(), "store")) },
		Reopen:  again,
		Join:    again,
		ChainID: ref.ChainID,
	})
}
