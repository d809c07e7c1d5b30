package filestore_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/storekit"
)

func TestLanesAreLeasedByTheProcessThatWrites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	writer := open(t, dir)
	ref := session.Ref{ChainID: 80002, Account: common.Address{1}}
	key, err := writer.LeaseLane(t.Context(), ref, "writer", time.Hour)
	require.NoError(t, err)

	reader, err := filestore.OpenReadOnly(dir, filestore.Config{})
	require.NoError(t, err)
	defer reader.Close()
	_, err = reader.LeaseLane(t.Context(), ref, "reader", time.Hour)
	require.ErrorIs(t, err, filestore.ErrReadOnly)
	require.ErrorIs(t, reader.RenewLane(t.Context(), ref, key, "writer", time.Hour), filestore.ErrReadOnly)
	require.ErrorIs(t, reader.ReleaseLane(t.Context(), ref, key, "writer"), filestore.ErrReadOnly)

	// Leases wait for no signer.
	require.NoError(t, writer.Hold(t.Context(), ref, func(uint64) error {
		return writer.RenewLane(t.Context(), ref, key, "writer", time.Hour)
	}))
	beyond := new(uint256.Int).Lsh(uint256.NewInt(1), 8*storekit.LaneKeySize)
	require.ErrorIs(t, writer.RenewLane(t.Context(), ref, *beyond.Or(beyond, &key), "writer", time.Hour), session.ErrLaneLost)
}
