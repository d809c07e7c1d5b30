package session

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/merkle"
)

// view is one version of a store's state with its trees. It is immutable; [Sessions] swap views.
type view struct {
	state   *State
	byID    map[string]int
	stored  *leafTree  // the tree of State.Root
	pending *leafTree  // the tree of State.Pending.Root, nil for none
	onChain *chainRoot // the root that the chain showed last, nil for not asked
}

// chainRoot is a root read from the chain.
type chainRoot struct {
	root common.Hash
	at   time.Time
}

// leafTree is a tree with the way from a leaf's position in the store to the one in the tree.
type leafTree struct {
	*merkle.Tree
	at map[int]int
}

func emptyView() *view {
	return &view{state: new(State), stored: newLeafTree(nil, nil), byID: map[string]int{}}
}

func newView(ref Ref, state *State) (*view, error) {
	v := &view{state: state, byID: make(map[string]int, len(state.Leaves))}
	for i := range state.Leaves {
		v.byID[state.Leaves[i].ID] = i
	}
	v.stored = state.tree()
	if v.stored.Root() != state.Root {
		return nil, &RootMismatch{Ref: ref, Stored: state.Root, Leaves: v.stored.Root()}
	}
	if p := state.Pending; p != nil {
		v.pending = state.treeAfter(p)
		if v.pending.Root() != p.Root {
			return nil, &RootMismatch{Ref: ref, Stored: p.Root, Leaves: v.pending.Root(), Pending: true}
		}
	}
	return v, nil
}

// newLeafTree builds the tree over the leaves at those positions.
func newLeafTree(leaves []Leaf, positions []int) *leafTree {
	t := &leafTree{at: make(map[int]int, len(positions))}
	hashes := make([]common.Hash, len(positions))
	for n, i := range positions {
		t.at[i] = n
		hashes[n] = leaves[i].Hash()
	}
	t.Tree = merkle.New(hashes)
	return t
}

// tree returns the tree of the leaves that are in it, which State.Root should be the root of.
func (s *State) tree() *leafTree { return newLeafTree(s.Leaves, s.treeOrder()) }

// treeOrder returns the positions of the tree's leaves in the tree's order.
func (s *State) treeOrder() []int {
	positions := s.positions(func(l *Leaf) bool { return l.InTree })
	if len(s.Order) == len(positions) {
		rank := make(map[string]int, len(s.Order))
		for n, id := range s.Order {
			rank[id] = n
		}
		slices.SortStableFunc(positions, func(a, b int) int {
			return cmp.Compare(rank[s.Leaves[a].ID], rank[s.Leaves[b].ID])
		})
	}
	return positions
}

// positions returns where the leaves that fit stand.
func (s *State) positions(fits func(*Leaf) bool) []int {
	var positions []int
	for i := range s.Leaves {
		if fits(&s.Leaves[i]) {
			positions = append(positions, i)
		}
	}
	return positions
}

// treeAfter returns the tree as p makes it.
func (s *State) treeAfter(p *PendingRoot) *leafTree {
	return newLeafTree(s.Leaves, s.positionsAfter(p))
}

// treeOf returns the known tree with that root, nil for none.
func (v *view) treeOf(root common.Hash) *leafTree {
	switch {
	case v.pending != nil && v.pending.Root() == root:
		return v.pending
	case v.stored.Root() == root:
		return v.stored
	}
	return nil
}

// current returns the tree that the chain has: the pending one once it was seen there.
func (v *view) current() *leafTree {
	if v.onChain != nil {
		if tree := v.treeOf(v.onChain.root); tree != nil {
			return tree
		}
	}
	return v.stored
}

// confirmed reports whether the tree's root was seen on chain.
func (v *view) confirmed(t *leafTree) bool { return v.onChain != nil && v.onChain.root == t.Root() }

func (t *leafTree) has(i int) bool { _, ok := t.at[i]; return ok }

func (t *leafTree) proof(i int, leaf *Leaf) ([]common.Hash, error) {
	at, ok := t.at[i]
	if !ok {
		return nil, fmt.Errorf("%w: %s is not in the tree of root %s", ErrNoLeaf, leaf.name(), t.Root())
	}
	return t.Proof(at)
}

func set[K comparable](keys []K) map[K]bool {
	m := make(map[K]bool, len(keys))
	for _, key := range keys {
		m[key] = true
	}
	return m
}
