package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// testModel makes random changes to the store and to [memstore.Store] and compares.
func (c *Config) testModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			store, model := c.Open(t), memstore.New()
			refs := []session.Ref{c.ref(0), c.ref(1)}
			for range 60 {
				modelStep(t, random, refs[random.IntN(len(refs))], store, model)
			}
		})
	}
}

func modelStep(t *testing.T, random *rand.Rand, ref session.Ref, store, model session.Store) {
	t.Helper()
	change := randomChange(random, stateOf(t, model, ref))
	wantErr := changeOf(t, model, ref, change, 0)
	haveErr := changeOf(t, store, ref, change, 0)
	for _, kind := range []error{policy.ErrInvalid, session.ErrNoLeaf, session.ErrConflict} {
		if wantErr != nil && errorsIs(wantErr, kind) {
			require.ErrorIs(t, haveErr, kind)
		}
	}
	if wantErr == nil {
		require.NoError(t, haveErr)
		require.ErrorIs(t, changeOf(t, store, ref, change, 1), session.ErrConflict)
	}
	requireSame(t, stateOf(t, model, ref), stateOf(t, store, ref))
}

// testDiffer makes random changes to the store, and asks of each earlier version what changed since: what it
// is told makes that version the one of now, and it is told of the last changes unless leaves were deleted.
func (c *Config) testDiffer(t *testing.T) {
	differ, ok := c.Open(t).(session.Differ)
	if !ok {
		return // it is loaded whole
	}
	store := differ.(session.Store)
	_, err := differ.ChangesSince(t.Context(), c.ref(0), 1)
	require.ErrorIs(t, err, session.ErrNotFound)
	random, ref := rand.New(rand.NewPCG(5, 0)), c.ref(1)
	var versions []*session.State
	deleted := -1 // the last version that a deletion made
	for range 80 {
		change := randomChange(random, stateOf(t, store, ref))
		if random.IntN(4) > 0 {
			change.Delete = nil
		}
		if changeOf(t, store, ref, change, 0) != nil {
			continue
		}
		versions = append(versions, stateOf(t, store, ref))
		last := len(versions) - 1
		if len(change.Delete) > 0 {
			deleted = last
		}
		for n, before := range versions {
			delta, err := differ.ChangesSince(t.Context(), ref, before.Version)
			require.NoError(t, err)
			switch {
			case n < deleted:
				require.Nil(t, delta)
			case n+8 > last:
				require.NotNil(t, delta)
			}
			if delta != nil {
				requireSame(t, versions[last], withDelta(t, before, delta))
				require.Equal(t, versions[last].Version, delta.Version)
			}
		}
		delta, err := differ.ChangesSince(t.Context(), ref, versions[last].Version+1)
		require.NoError(t, err)
		require.Nil(t, delta, "a version that never was")
	}
	require.Greater(t, len(versions), 40)
}

// withDelta returns the state that the changes make of another.
func withDelta(t *testing.T, state *session.State, delta *session.Delta) *session.State {
	t.Helper()
	next := state.Clone()
	next.Version, next.Header = delta.Version, delta.Header
	for n, placed := range delta.Leaves {
		require.LessOrEqual(t, placed.Position, len(next.Leaves))
		require.True(t, n == 0 || placed.Position > delta.Leaves[n-1].Position, "in order")
		if placed.Position == len(next.Leaves) {
			next.Leaves = append(next.Leaves, placed.Leaf)
		}
		require.Equal(t, next.Leaves[placed.Position].ID, placed.Leaf.ID)
		next.Leaves[placed.Position] = placed.Leaf
	}
	return next
}

// changeOf applies change to the version that is off by so much.
func changeOf(t *testing.T, store session.Store, ref session.Ref, change *session.Change, off uint64) error {
	t.Helper()
	_, err := store.Apply(t.Context(), ref, stateOf(t, store, ref).Version+off, change)
	return err
}

// stateOf returns the state, which is empty for a ref that was never stored.
func stateOf(t *testing.T, store session.Store, ref session.Ref) *session.State {
	t.Helper()
	state, err := store.Load(t.Context(), ref)
	if errorsIs(err, session.ErrNotFound) {
		return new(session.State)
	}
	require.NoError(t, err)
	return state
}

// randomChange returns a change to state, which is now and then one that is to be refused.
func randomChange(random *rand.Rand, state *session.State) *session.Change {
	change := &session.Change{Header: randomHeader(random)}
	touched := make(map[string]bool)
	for range random.IntN(4) {
		if leaf := randomLeaf(random); !touched[leaf.ID] || random.IntN(20) == 0 {
			change.Put = append(change.Put, leaf)
			touched[leaf.ID] = true
		}
	}
	for range random.IntN(3) {
		if len(state.Leaves) == 0 {
			break
		}
		if id := state.Leaves[random.IntN(len(state.Leaves))].ID; !touched[id] || random.IntN(20) == 0 {
			change.Delete = append(change.Delete, id)
			touched[id] = true
		}
	}
	if random.IntN(20) == 0 {
		change.Delete = append(change.Delete, "nobody")
	}
	return change
}

func randomHeader(random *rand.Rand) (h session.Header) {
	h.Root = common.BigToHash(bigInt(random.IntN(3)))
	if random.IntN(2) == 0 {
		h.Pending = &session.PendingRoot{Root: common.BigToHash(bigInt(random.IntN(1000))), OpHash: common.BigToHash(bigInt(random.IntN(1000)))}
		if random.IntN(2) == 0 {
			h.Pending.Operation, h.Pending.Until = newOperation(), uint64(random.IntN(1000))
		}
		for range random.IntN(3) {
			h.Pending.Add = append(h.Pending.Add, fmt.Sprint("added-", random.IntN(10)))
		}
	}
	if random.IntN(2) == 0 {
		h.Landed = &session.LandedRoot{Before: common.BigToHash(bigInt(random.IntN(1000))), Change: session.PendingRoot{Root: h.Root, Add: []string{"added"}}}
	}
	return h
}

// randomLeaf has one of few IDs, so that leaves are replaced as often as added.
func randomLeaf(random *rand.Rand) session.Leaf {
	leaf := newLeaf(random.IntN(1000))
	leaf.ID = fmt.Sprint("leaf-", random.IntN(12))
	leaf.Status = session.StatusPending + session.Status(random.IntN(3))
	leaf.InTree = random.IntN(2) == 0
	leaf.Data = leaf.Data[:random.IntN(len(leaf.Data))]
	if random.IntN(2) == 0 {
		leaf.Function = fmt.Sprintf("function f%d()", random.IntN(10))
	}
	return leaf
}
