package storetest

import (
	"io"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
)

func (c *Config) testLarge(t *testing.T) {
	size := c.Leaves
	if size == 0 {
		size = 10_000
	}
	store, ref := c.Open(t), c.ref(0)
	leaves := newLeaves(0, size)
	state := apply(t, store, ref, session.Change{Put: leaves})
	requireSame(t, &session.State{Leaves: leaves}, state)

	leaves[size/2].Status = session.StatusRevoked
	leaves = append(leaves, newLeaf(size))
	state = apply(t, store, ref, session.Change{Put: []session.Leaf{leaves[size/2], leaves[size]}})
	requireSame(t, &session.State{Leaves: leaves}, state)
}

func (c *Config) testReopen(t *testing.T) {
	if c.Reopen == nil {
		return // forgets, by design
	}
	store, ref := c.Open(t), c.ref(0)
	header := session.Header{Root: common.HexToHash("0x02"), Pending: &session.PendingRoot{Root: common.HexToHash("0x03"), Add: []string{"leaf-1"}}}
	apply(t, store, ref, session.Change{Header: header, Put: newLeaves(0, 10)})
	want := apply(t, store, ref, session.Change{Header: header, Delete: []string{"leaf-4"}})
	var key common.Address
	if keys, ok := store.(session.Keyring); ok {
		var err error
		key, err = keys.NewKey(t.Context(), ref)
		require.NoError(t, err)
	}

	store = c.Reopen(t, store)
	require.Equal(t, want, load(t, store, ref, want.Version))
	if keys, ok := store.(session.Keyring); ok {
		requireSigns(t, keys, ref, key)
	}
	_, err := store.Load(t.Context(), c.ref(1))
	require.ErrorIs(t, err, session.ErrNotFound)
	apply(t, store, ref, session.Change{Put: newLeaves(10, 11)})
}

func checkClosed(t *testing.T, store session.Store, closer io.Closer, ref session.Ref) {
	t.Helper()
	state := apply(t, store, ref, session.Change{Put: newLeaves(0, 1)})
	require.NoError(t, closer.Close())
	require.NoError(t, closer.Close(), "closing again does nothing")

	_, err := store.Load(t.Context(), ref)
	require.ErrorIs(t, err, session.ErrClosed)
	_, err = store.Version(t.Context(), ref)
	require.ErrorIs(t, err, session.ErrClosed)
	err = store.Hold(t.Context(), ref, func(uint64) error { t.Error("held a closed store"); return nil })
	require.ErrorIs(t, err, session.ErrClosed)
	_, err = store.Apply(t.Context(), ref, state.Version, &session.Change{})
	require.ErrorIs(t, err, session.ErrClosed)
	if pinger, ok := store.(session.Pinger); ok {
		require.ErrorIs(t, pinger.Ping(t.Context()), session.ErrClosed)
	}
	if lister, ok := store.(session.Lister); ok {
		_, err = lister.List(t.Context(), session.Query{})
		require.ErrorIs(t, err, session.ErrClosed)
		_, err = lister.ListPending(t.Context(), session.Ref{}, 0)
		require.ErrorIs(t, err, session.ErrClosed)
	}
	if lanes, ok := store.(session.LaneLeaser); ok {
		_, err = lanes.LeaseLane(t.Context(), ref, "a", long)
		require.ErrorIs(t, err, session.ErrClosed)
	}
	if keys, ok := store.(session.Keyring); ok {
		_, err = keys.NewKey(t.Context(), ref)
		require.ErrorIs(t, err, session.ErrClosed)
		_, err = keys.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: newLeaf(0).Key, Digest: crypto.Keccak256Hash()})
		require.ErrorIs(t, err, session.ErrClosed)
	}
}
