package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
)

func errorsIs(err, target error) bool { return errors.Is(err, target) }

// testCompareAndSet lets 64 goroutines, through two handles, each append one leaf.
func (c *Config) testCompareAndSet(t *testing.T) {
	const writers = 64
	stores, ref := c.stores(t), c.ref(0)
	versions := make([]uint64, writers)
	var group errgroup.Group
	for n := range writers {
		group.Go(func() (err error) {
			versions[n], err = appendLeaf(t.Context(), stores[n%len(stores)], ref, newLeaf(n))
			return err
		})
	}
	require.NoError(t, group.Wait())

	state := stateOf(t, stores[0], ref)
	require.Len(t, state.Leaves, writers, "no change is lost")
	byID := make(map[string]bool)
	for i := range state.Leaves {
		byID[state.Leaves[i].ID] = true
	}
	require.Len(t, byID, writers)
	unique := make(map[uint64]bool)
	for _, version := range versions {
		unique[version] = true
	}
	require.Len(t, unique, writers, "no two changes made the same version")
	require.True(t, unique[state.Version])
}

// appendLeaf retries until no other writer is in between.
func appendLeaf(ctx context.Context, store session.Store, ref session.Ref, leaf session.Leaf) (uint64, error) {
	for {
		version, err := store.Version(ctx, ref)
		if err != nil {
			return 0, err
		}
		version, err = store.Apply(ctx, ref, version, &session.Change{Put: []session.Leaf{leaf}})
		if !errors.Is(err, session.ErrConflict) {
			return version, err
		}
	}
}

func (c *Config) testHold(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)
	state := apply(t, store, ref, session.Change{Put: newLeaves(0, 1)})

	mine := errors.New("mine")
	err := store.Hold(t.Context(), ref, func(version uint64) error {
		require.Equal(t, state.Version, version)
		return mine
	})
	require.Same(t, mine, err, "the error is returned as it is")

	require.Panics(t, func() {
		_ = store.Hold(t.Context(), ref, func(uint64) error { panic("mine") })
	})
	apply(t, store, ref, session.Change{Put: newLeaves(1, 2)}) // is free again
}

// testHungSigner holds the sessions for a signer that answers once they were changed: it keeps the change
// waiting until its context's deadline, and what it signed does not count.
func (c *Config) testHungSigner(t *testing.T) {
	stores, ref := c.stores(t), c.ref(0)
	apply(t, stores[0], ref, session.Change{Put: newLeaves(0, 1)})
	const limit = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	begin := time.Now()
	err := stores[0].Hold(ctx, ref, func(version uint64) error {
		_, err := stores[1].Apply(t.Context(), ref, version, &session.Change{Put: newLeaves(1, 2)})
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, ref.String()+" were not held to the end")
	require.GreaterOrEqual(t, time.Since(begin), limit*9/10, "the change waited")
	require.Len(t, stateOf(t, stores[0], ref).Leaves, 2)

	mine := errors.New("mine")
	ctx, cancel = context.WithTimeout(t.Context(), limit)
	defer cancel()
	err = stores[0].Hold(ctx, ref, func(uint64) error { <-ctx.Done(); return mine })
	require.Same(t, mine, err, "its own error says more")
	apply(t, stores[1], ref, session.Change{Put: newLeaves(2, 3)})
}

// testInsideHold does inside a hold what may be done there, though a change waits for its end.
func (c *Config) testInsideHold(t *testing.T) {
	stores, ref := c.stores(t), c.ref(0)
	state := apply(t, stores[0], ref, session.Change{Put: newLeaves(0, 1)})
	keys, hasKeys := stores[0].(session.Keyring)
	var key common.Address
	if hasKeys {
		var err error
		key, err = keys.NewKey(t.Context(), ref)
		require.NoError(t, err)
	}
	const waiting = 8
	var group errgroup.Group
	changing, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	err := stores[0].Hold(t.Context(), ref, func(version uint64) error {
		for n := range waiting {
			group.Go(func() error {
				_, err := stores[n%len(stores)].Apply(changing, ref, version, &session.Change{Put: newLeaves(n+1, n+2)})
				if !errors.Is(err, context.Canceled) {
					return fmt.Errorf("the change should have waited until its context ended, and says: %w", err)
				}
				return nil
			})
		}
		time.Sleep(20 * time.Millisecond) // lets the changes come to their wait
		require.Equal(t, state, load(t, stores[0], ref, version))
		if lister, ok := stores[0].(session.Lister); ok {
			page, err := lister.List(t.Context(), session.Query{})
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
		}
		if hasKeys {
			requireSigns(t, keys, ref, key)
		}
		giveUp()
		return group.Wait()
	})
	require.NoError(t, err)
}

// testHoldAgainstApply lets holders run while another handle makes changes: none may be committed before a
// holder that saw the version before it is done.
func (c *Config) testHoldAgainstApply(t *testing.T) {
	stores, ref := c.stores(t), c.ref(0)
	apply(t, stores[0], ref, session.Change{Put: newLeaves(0, 1)})
	var committed atomic.Uint64 // the newest version whose Apply returned
	committed.Store(stateOf(t, stores[0], ref).Version)
	var done atomic.Bool

	group, ctx := errgroup.WithContext(t.Context())
	for n := range 4 {
		group.Go(func() error {
			for !done.Load() {
				err := stores[n%len(stores)].Hold(ctx, ref, func(version uint64) error {
					before := committed.Load()
					runtime.Gosched()
					time.Sleep(time.Millisecond) // gives a wrong store the chance to show it
					if after := committed.Load(); after != before && after != version {
						return errors.New("a change was committed while the store was held")
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer done.Store(true)
		for n := range 20 {
			version, err := appendLeaf(ctx, stores[1], ref, newLeaf(n+1))
			if err != nil {
				return err
			}
			committed.Store(version)
		}
		return nil
	})
	require.NoError(t, group.Wait())
}

func (c *Config) testCancelled(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)
	before := apply(t, store, ref, session.Change{Put: newLeaves(0, 1)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := store.Load(ctx, ref)
	require.ErrorIs(t, err, context.Canceled)
	_, err = store.Version(ctx, ref)
	require.ErrorIs(t, err, context.Canceled)
	err = store.Hold(ctx, ref, func(uint64) error { t.Error("held with a cancelled context"); return nil })
	require.ErrorIs(t, err, context.Canceled)
	_, err = store.Apply(ctx, ref, before.Version, &session.Change{Put: newLeaves(1, 2)})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, before, load(t, store, ref, before.Version))

	if keys, ok := store.(session.Keyring); ok {
		_, err = keys.NewKey(ctx, ref)
		require.ErrorIs(t, err, context.Canceled)
		_, err = keys.Keys(ctx, ref)
		require.ErrorIs(t, err, context.Canceled)
		_, err = keys.SignDigest(ctx, session.SignRequest{Ref: ref, Key: newLeaf(0).Key})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, keys.RemoveKey(ctx, ref, newLeaf(0).Key), context.Canceled)
	}
	if lister, ok := store.(session.Lister); ok {
		_, err = lister.List(ctx, session.Query{})
		require.ErrorIs(t, err, context.Canceled)
		_, err = lister.ListPending(ctx, session.Ref{}, 0)
		require.ErrorIs(t, err, context.Canceled)
	}
}
