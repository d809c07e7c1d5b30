//go:build linux || darwin

package tsstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/smalldisk"
	"github.com/go-sesame/sesame/session"
)

func TestDiskFull(t *testing.T) {
	if !smalldisk.Alone(t) {
		return
	}
	store := writeSessions(t, testFile(t, "", testNode(0, active, nil)))
	key, err := store.NewKey(t.Context(), testRef)
	require.NoError(t, err)
	before, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	leaf := before.Leaves[0].Clone()
	leaf.ID, leaf.Data = "large", make([]byte, 10_000)
	names, err := store.names()
	require.NoError(t, err)

	restore := smalldisk.Limit(t, 100)
	_, changed := store.Apply(t.Context(), testRef, before.Version, &session.Change{Put: []session.Leaf{leaf}})
	_, made := store.NewKey(t.Context(), testRef)
	restore()

	for _, err := range []error{changed, made} {
		require.ErrorContains(t, err, ".json, which stays as it was: write ")
		require.ErrorContains(t, err, ": file too large")
	}
	after, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = store.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: key})
	require.NoError(t, err)
	left, err := store.names()
	require.NoError(t, err)
	require.ElementsMatch(t, names, left, "nothing is left of what could not be written")
	_, err = store.Apply(t.Context(), testRef, before.Version, &session.Change{Put: []session.Leaf{leaf}})
	require.NoError(t, err, "with room on the disk, it goes on")
}
