package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
)

// counting is a store to be read, which counts how often all of an account is.
type counting struct {
	*memstore.Store
	loads int
}

func (c *counting) Load(ctx context.Context, ref session.Ref) (*session.State, error) {
	c.loads++
	return c.Store.Load(ctx, ref)
}

func (c *counting) Apply(context.Context, session.Ref, uint64, *session.Change) (uint64, error) {
	return 0, errors.New("read only")
}

// treeOf returns the root of the leaves that fit, in the order of the store or in that of the IDs.
func treeOf(leaves []session.Leaf, order []string, in func(*session.Leaf) bool) common.Hash {
	var hashes []common.Hash
	if order != nil {
		leaves = slices.Clone(leaves)
		slices.SortStableFunc(leaves, func(a, b session.Leaf) int { return slices.Index(order, a.ID) - slices.Index(order, b.ID) })
	}
	for i := range leaves {
		if in(&leaves[i]) {
			hashes = append(hashes, leaves[i].Hash())
		}
	}
	return merkle.New(hashes).Root()
}

// nextState returns a change of the state in which any leaf may enter or leave the tree, be revoked, be
// another, be new or go, with the roots that fit.
func nextState(random *rand.Rand, state *session.State, newID func() string) *session.Change {
	change := new(session.Change)
	leaves := state.Clone().Leaves
	touch := func(i int) {
		same := func(l session.Leaf) bool { return l.ID == leaves[i].ID }
		if at := slices.IndexFunc(change.Put, same); at >= 0 {
			change.Put[at] = leaves[i]
		} else {
			change.Put = append(change.Put, leaves[i])
		}
	}
	for range random.IntN([]int{1, 2, 90}[random.IntN(3)]) {
		leaf := plain(newID(), keyAddress(testKey))
		leaf.Data, leaf.InTree = []byte(leaf.ID), random.IntN(4) > 0
		leaves = append(leaves, leaf)
		touch(len(leaves) - 1)
	}
	for range random.IntN(4) {
		if len(leaves) == 0 {
			break
		}
		i := random.IntN(len(leaves))
		switch leaf := &leaves[i]; random.IntN(4) {
		case 0:
			leaf.Status = session.StatusRevoked
		case 1:
			leaf.ValidUntil = uint64(random.IntN(1000)) + 3_000_000_000
		default:
			leaf.InTree = !leaf.InTree
		}
		touch(i)
	}
	if n := len(state.Leaves); n > 0 && random.IntN(8) == 0 {
		gone := leaves[n-1].ID
		leaves = slices.Delete(leaves, n-1, n)
		change.Put = slices.DeleteFunc(change.Put, func(l session.Leaf) bool { return l.ID == gone })
		change.Delete = []string{gone}
	}
	inTree := func(l *session.Leaf) bool { return l.InTree }
	if random.IntN(10) == 0 {
		for i := range leaves {
			if leaves[i].InTree {
				change.Header.Order = append(change.Header.Order, leaves[i].ID)
			}
		}
		random.Shuffle(len(change.Header.Order), func(i, j int) {
			o := change.Header.Order
			o[i], o[j] = o[j], o[i]
		})
	}
	change.Header.Root = treeOf(leaves, change.Header.Order, inTree)
	if random.IntN(2) == 0 {
		p := new(session.PendingRoot)
		enters := make(map[string]bool)
		for i := range leaves {
			switch {
			case leaves[i].InTree && random.IntN(60) == 0:
				p.Remove = append(p.Remove, leaves[i].ID)
				enters[leaves[i].ID] = false
			case !leaves[i].InTree && random.IntN(3) == 0:
				p.Add = append(p.Add, leaves[i].ID)
				enters[leaves[i].ID] = true
			}
		}
		p.Root = treeOf(leaves, nil, func(l *session.Leaf) bool {
			if is, ok := enters[l.ID]; ok {
				return is
			}
			return l.InTree
		})
		change.Header.Pending = p
	}
	return change
}

// TestRefreshIsOpening takes sessions through any changes by another process: what is read again in part is
// what is read anew.
func TestRefreshIsOpening(t *testing.T) {
	for seed := range uint64(3) {
		random, n := rand.New(rand.NewPCG(seed, 1)), 0
		newID := func() string { n++; return fmt.Sprint("leaf ", n) }
		store := &counting{Store: memstore.New()}
		state, chain := new(session.State), new(ledger)
		var sess *session.Sessions
		whole := 0
		for range 40 {
			change := nextState(random, state, newID)
			_, err := store.Store.Apply(t.Context(), testRef, state.Version, change)
			require.NoError(t, err)
			if state, err = store.Store.Load(t.Context(), testRef); err != nil {
				t.Fatal(err)
			}
			if sess == nil {
				sess, err = session.Open(t.Context(), store, testRef)
				require.NoError(t, err)
				continue
			}
			if random.IntN(3) == 0 {
				continue // several changes at once
			}
			before := store.loads
			require.NoError(t, sess.Refresh(t.Context()))
			whole += store.loads - before
			anew, err := session.Open(t.Context(), &counting{Store: store.Store}, testRef)
			require.NoError(t, err)
			chain.root = state.Root
			if state.Pending != nil && random.IntN(2) == 0 {
				chain.root = state.Pending.Root
			}
			requireSameSessions(t, anew, sess, chain)
		}
		require.Less(t, whole, 15, "only after leaves were deleted, or very many changed")
	}
}

// requireSameSessions compares all that can be seen of sessions, under one root on chain.
func requireSameSessions(t *testing.T, want, have *session.Sessions, chain *ledger) {
	t.Helper()
	require.Equal(t, want.Leaves(), have.Leaves())
	require.Equal(t, want.Root(), have.Root())
	require.Equal(t, want.Pending(), have.Pending())
	for _, s := range []*session.Sessions{want, have} {
		require.NoError(t, s.Confirm(t.Context(), chain, 0))
	}
	leaves := want.Leaves()
	for i := range leaves {
		wantProof, wantErr := want.Proof(i)
		haveProof, haveErr := have.Proof(i)
		require.Equal(t, wantErr, haveErr)
		require.Equal(t, wantProof, haveProof)
		if wantErr == nil && i%9 == 0 {
			require.True(t, merkle.Verify(chain.root, leaves[i].Hash(), haveProof))
		}
		leaf, err := have.ByID(leaves[i].ID).Leaf()
		require.NoError(t, err)
		require.Equal(t, leaves[i], leaf)
	}
}
