package storetest

import (
	"fmt"
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

func bigInt(n int) *big.Int { return big.NewInt(int64(n)) }

// newLeaf returns an active leaf that differs from those of other numbers in every field.
func newLeaf(n int) session.Leaf {
	return session.Leaf{
		ID: fmt.Sprintf("leaf-%d", n), Status: session.StatusActive, InTree: true, Key: common.BigToAddress(bigInt(0x600000 + n)),
		Compiled: policy.Compiled{
			ValidUntil: uint64(2_000_000_000 + n), ValidAfter: uint64(n), Module: common.BigToAddress(bigInt(0x500000 + n)), Data: crypto.Keccak256(big.NewInt(int64(n)).Bytes()),
		},
	}
}

func newLeaves(from, to int) []session.Leaf {
	var leaves []session.Leaf
	for n := from; n < to; n++ {
		leaves = append(leaves, newLeaf(n))
	}
	return leaves
}

// apply makes a change that must succeed and returns the state it leaves.
func apply(t *testing.T, store session.Store, ref session.Ref, change session.Change) *session.State {
	t.Helper()
	before, err := store.Version(t.Context(), ref)
	require.NoError(t, err)
	after, err := store.Apply(t.Context(), ref, before, &change)
	require.NoError(t, err)
	require.NotZero(t, after, "a stored ref has no version 0")
	require.NotEqual(t, before, after, "a change changes the version")
	return load(t, store, ref, after)
}

// load reads the state, which must be at that version.
func load(t *testing.T, store session.Store, ref session.Ref, version uint64) *session.State {
	t.Helper()
	state, err := store.Load(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, version, state.Version, "Load's version")
	current, err := store.Version(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, version, current, "Version")
	return state
}

// requireSame compares what two states hold. Versions are up to the store, and empty is as good as nil.
func requireSame(t *testing.T, want, have *session.State) {
	t.Helper()
	want, have = normal(want), normal(have)
	require.Equal(t, want.Header, have.Header)
	require.Len(t, have.Leaves, len(want.Leaves))
	if reflect.DeepEqual(want.Leaves, have.Leaves) {
		return
	}
	for i := range want.Leaves {
		require.Equal(t, want.Leaves[i], have.Leaves[i], "leaf %d", i)
	}
}

func normal(s *session.State) *session.State {
	s = s.Clone()
	for i := range s.Leaves {
		if len(s.Leaves[i].Data) == 0 {
			s.Leaves[i].Data = nil
		}
	}
	return s
}

func (c *Config) testUnknownRef(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)

	_, err := store.Load(t.Context(), ref)
	require.ErrorIs(t, err, session.ErrNotFound)
	require.ErrorContains(t, err, ref.String(), "the error names the account and chain")
	version, err := store.Version(t.Context(), ref)
	require.NoError(t, err)
	require.Zero(t, version)
	require.NoError(t, store.Hold(t.Context(), ref, func(version uint64) error {
		require.Zero(t, version)
		return nil
	}))
	_, err = store.Apply(t.Context(), ref, 1, &session.Change{Put: newLeaves(0, 1)})
	require.ErrorIs(t, err, session.ErrConflict)

	state := apply(t, store, ref, session.Change{})
	require.Empty(t, state.Leaves, "an empty change stores the ref")
}

func (c *Config) testChanges(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)
	l := newLeaves(0, 6)

	state := apply(t, store, ref, session.Change{Put: l[:3]})
	require.Equal(t, l[:3], state.Leaves, "leaves are appended in order")

	changed := l[1].Clone()
	changed.Status, changed.InTree, changed.Data = session.StatusRevoked, false, []byte{1}
	header := session.Header{Root: common.HexToHash("0x01")}
	state = apply(t, store, ref, session.Change{Header: header, Put: []session.Leaf{l[4], changed, l[3]}})
	require.Equal(t, []session.Leaf{l[0], changed, l[2], l[4], l[3]}, state.Leaves, "a leaf that is there is replaced in its place")
	require.Equal(t, header, state.Header)

	state = apply(t, store, ref, session.Change{Put: l[5:6], Delete: []string{l[2].ID, l[3].ID}})
	require.Equal(t, []session.Leaf{l[0], changed, l[4], l[5]}, state.Leaves, "a deleted leaf leaves no gap")
	require.Equal(t, session.Header{}, state.Header, "the header is replaced")

	state = apply(t, store, ref, session.Change{Put: l[2:3]})
	require.Equal(t, []session.Leaf{l[0], changed, l[4], l[5], l[2]}, state.Leaves, "a deleted leaf comes back at the end")

	state = apply(t, store, ref, session.Change{Delete: []string{l[0].ID, l[1].ID, l[2].ID, l[4].ID, l[5].ID}})
	require.Empty(t, state.Leaves)
}

func (c *Config) testRefusedChanges(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)
	before := apply(t, store, ref, session.Change{Header: session.Header{Root: common.HexToHash("0x02")}, Put: newLeaves(0, 3)})

	without := func(change func(*session.Leaf)) session.Change {
		leaf := newLeaf(7)
		change(&leaf)
		return session.Change{Put: []session.Leaf{newLeaf(6), leaf}}
	}
	for name, test := range map[string]struct {
		ref     session.Ref
		version uint64
		change  session.Change
		want    error
	}{
		"old version":   {ref, before.Version + 1, session.Change{Put: newLeaves(3, 4)}, session.ErrConflict},
		"version 0":     {ref, 0, session.Change{Put: newLeaves(3, 4)}, session.ErrConflict},
		"no ID":         {ref, before.Version, without(func(l *session.Leaf) { l.ID = "" }), policy.ErrInvalid},
		"no status":     {ref, before.Version, without(func(l *session.Leaf) { l.Status = 0 }), policy.ErrInvalid},
		"expired":       {ref, before.Version, without(func(l *session.Leaf) { l.Status = session.StatusExpired }), policy.ErrInvalid},
		"no module":     {ref, before.Version, without(func(l *session.Leaf) { l.Module = common.Address{} }), policy.ErrInvalid},
		"no key":        {ref, before.Version, without(func(l *session.Leaf) { l.Key = common.Address{} }), policy.ErrInvalid},
		"beyond uint48": {ref, before.Version, without(func(l *session.Leaf) { l.ValidUntil = 1 << 48 }), policy.ErrInvalid},
		"put twice":     {ref, before.Version, session.Change{Put: append(newLeaves(4, 5), newLeaf(4))}, policy.ErrInvalid},
		"put, deleted":  {ref, before.Version, session.Change{Put: newLeaves(1, 2), Delete: []string{newLeaf(1).ID}}, policy.ErrInvalid},
		"no such leaf":  {ref, before.Version, session.Change{Put: newLeaves(4, 5), Delete: []string{"nobody"}}, session.ErrNoLeaf},
		"no account":    {session.Ref{ChainID: ref.ChainID}, 0, session.Change{}, policy.ErrInvalid},
		"no chain":      {session.Ref{Account: ref.Account}, 0, session.Change{}, policy.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Apply(t.Context(), test.ref, test.version, &test.change)
			require.ErrorIs(t, err, test.want)
			require.Equal(t, before, load(t, store, ref, before.Version), "a refused change changes nothing")
		})
	}
}

func (c *Config) testEveryField(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)
	pending := &session.PendingRoot{
		Root:      common.HexToHash("0x03"),
		OpHash:    common.HexToHash("0x04"),
		Nonce:     *uint256.MustFromHex("0xffffffffffffffffffffffffffffffffffffffffffffffff0000000000000007"),
		Operation: newOperation(),
		Until:     policy.MaxTime,
		Add:       []string{"a", "b"},
		Remove:    []string{"c"},
	}
	landed := &session.LandedRoot{Before: common.HexToHash("0x06"), Order: []string{"d", "e"}, Activated: []string{"f"}, Change: *pending}
	landed.Change.Add, landed.Change.Remove = []string{"f", "g\x00\"é\u2028"}, []string{"d"}
	requireFilled(t, *pending)
	requireFilled(t, *landed)
	requireFilled(t, *pending.Operation)
	full := newLeaf(1)
	full.Function = `function f(string "é<&>")`
	requireFilled(t, full)
	extreme := newLeaf(2)
	extreme.ID, extreme.Status, extreme.InTree = "a \"quoted\" /id/ é 世界 %s \u00a0", session.StatusPending, false
	extreme.ValidUntil, extreme.ValidAfter = policy.MaxTime, policy.MaxTime
	extreme.Data = make([]byte, 100_000)
	empty := newLeaf(3)
	empty.ValidUntil, empty.ValidAfter, empty.Data = 0, 0, nil

	header := session.Header{Root: common.HexToHash("0x02"), Order: []string{empty.ID, full.ID}, Pending: pending, Landed: landed}
	requireFilled(t, header)
	want := session.Change{Header: header, Put: []session.Leaf{full, extreme, empty}}
	have := apply(t, store, ref, want)
	requireSame(t, &session.State{Header: want.Header, Leaves: want.Put}, have)

	_, err := store.Apply(t.Context(), ref, have.Version+1, &session.Change{})
	require.ErrorIs(t, err, session.ErrConflict)
	requireSame(t, have, load(t, store, ref, have.Version))
	header.Pending = nil
	requireSame(t, &session.State{Header: header, Leaves: want.Put}, apply(t, store, ref, session.Change{Header: header}))
	header.Landed = nil
	requireSame(t, &session.State{Header: header, Leaves: want.Put}, apply(t, store, ref, session.Change{Header: header}))
}

// requireFilled sees to it that a field that is new in the struct is tested too.
func requireFilled(t *testing.T, v any) {
	t.Helper()
	for field, value := range reflect.ValueOf(v).Fields() {
		require.False(t, value.IsZero(), "set %s in this test", field.Name)
	}
}

// testOrder has a tree in another order than the leaves were granted in, as after adopting the root of
// another backend: both orders have to stay, or nothing can be proven any more.
func (c *Config) testOrder(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)
	leaves := newLeaves(0, 5)
	leaves[3].InTree = false
	order, root := treeOf(leaves[4], leaves[1], leaves[0], leaves[2])
	header := session.Header{Root: root, Order: order}
	requireProves := func(store session.Store, state *session.State) {
		t.Helper()
		require.Equal(t, header, state.Header)
		require.Equal(t, leaves, state.Leaves)
		_, err := session.Open(t.Context(), store, ref)
		require.NoError(t, err, "the leaves hash to the root")
	}
	requireProves(store, apply(t, store, ref, session.Change{Header: header, Put: leaves}))

	leaves[1].Status = session.StatusRevoked
	leaves = append(leaves, newLeaf(5))
	leaves[5].Status, leaves[5].InTree = session.StatusPending, false
	state := apply(t, store, ref, session.Change{Header: header, Put: []session.Leaf{leaves[1], leaves[5]}})
	requireProves(store, state)
	if c.Reopen != nil {
		store = c.Reopen(t, store)
		requireProves(store, load(t, store, ref, state.Version))
	}

	_, header.Root = treeOf(leaves[0], leaves[1], leaves[2], leaves[4])
	header.Order = nil
	requireProves(store, apply(t, store, ref, session.Change{Header: header}))
}

// treeOf returns the IDs of leaves, in that order, and the root of their tree.
func treeOf(leaves ...session.Leaf) (ids []string, root common.Hash) {
	hashes := make([]common.Hash, len(leaves))
	for i := range leaves {
		ids = append(ids, leaves[i].ID)
		hashes[i] = leaves[i].Hash()
	}
	return ids, merkle.New(hashes).Root()
}

func (c *Config) testNoSharedMemory(t *testing.T) {
	store, ref := c.Open(t), c.ref(0)
	leaf := newLeaf(0)
	pending := &session.PendingRoot{Root: common.HexToHash("0x05"), Operation: newOperation(), Add: []string{leaf.ID}}
	order := []string{leaf.ID}
	landed := &session.LandedRoot{Order: []string{leaf.ID}, Activated: []string{leaf.ID}, Change: *pending}
	landed.Change.Operation, landed.Change.Add, landed.Change.Remove = newOperation(), []string{leaf.ID}, []string{"gone"}
	state := apply(t, store, ref, session.Change{Header: session.Header{Order: order, Pending: pending, Landed: landed}, Put: []session.Leaf{leaf}})
	want := state.Clone()

	leaf.Data[0] ^= 0xff
	pending.Add[0], order[0] = "changed by the caller", "changed by the caller"
	pending.Operation.Signature[0] ^= 0xff
	spoil := func(l *session.LandedRoot) {
		for _, ids := range [][]string{l.Order, l.Activated, l.Change.Add, l.Change.Remove} {
			ids[0] = "changed by the caller"
		}
		l.Change.Operation.Signature[0] ^= 0xff
	}
	spoil(landed)
	require.Equal(t, want, load(t, store, ref, want.Version), "what Apply was given")
	spoil(state.Landed)
	state.Leaves[0].Data[1] ^= 0xff
	state.Leaves[0].ID = "changed by the caller"
	state.Pending.Operation.Signature[0] ^= 0xff
	state.Pending.Add[0], state.Order[0] = "changed by the caller", "changed by the caller"
	require.Equal(t, want, load(t, store, ref, want.Version), "what Load returned")
}

func (c *Config) testIsolation(t *testing.T) {
	store := c.Open(t)
	refs := []session.Ref{c.ref(0), c.ref(1)}
	other := session.Ref{ChainID: c.ref(0).ChainID + 1, Account: c.ref(0).Account}
	if c.ChainID == 0 {
		refs = append(refs, other)
	} else {
		_, err := store.Apply(t.Context(), other, 0, &session.Change{})
		require.ErrorIs(t, err, policy.ErrInvalid, "a store of one chain refuses others")
		_, err = store.Load(t.Context(), other)
		require.ErrorIs(t, err, policy.ErrInvalid)
	}
	want := make([]*session.State, len(refs))
	for i, ref := range refs {
		want[i] = apply(t, store, ref, session.Change{Header: session.Header{Root: common.BigToHash(bigInt(i + 1))}, Put: newLeaves(i, i+2)})
	}
	apply(t, store, c.ref(2), session.Change{Put: newLeaves(0, 1)})
	apply(t, store, c.ref(2), session.Change{Delete: []string{newLeaf(0).ID}})
	for i, ref := range refs {
		require.Equal(t, want[i], load(t, store, ref, want[i].Version))
	}
}
