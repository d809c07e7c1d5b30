package session

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/keccak"
	"github.com/go-sesame/sesame/internal/merkle"
)

// view is one version of a store's state with its trees. It is immutable; [Sessions] swap views, of which the
// next shares with the last what did not change.
type view struct {
	version uint64
	header  Header
	leaves  leafList
	ids     *leafIndex // nil for a few leaves

	stored  *leafTree  // the tree of the header's root
	pending *leafTree  // the tree of the pending one, nil for none
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
	members
	// order has that way where the tree's order is not the store's; nil otherwise.
	order map[int]int
}

func emptyView() *view { return &view{stored: new(leafTree{Tree: merkle.New(nil)})} }

// newView returns the view of a state, whose leaves it shares, and checks the roots.
func newView(ref Ref, state *State) (*view, error) {
	v := &view{version: state.Version, header: state.Header, leaves: newLeafList(state.Leaves)}
	if v.leaves.n > indexed {
		v.ids = new(leafIndex)
	}
	return v, v.plant(ref, membersOf(&v.leaves, func(l *Leaf) bool { return l.InTree }), v.find, emptyView(), 0)
}

// with returns the view of the state after a change, nil where it does not fit this one.
func (v *view) with(ref Ref, d *Delta) (*view, error) {
	next, changed := v.changed(d.Version, &d.Header, d.Leaves)
	if next == nil {
		return nil, nil
	}
	is, at := make(map[int]bool, len(d.Leaves)), make(map[string]int, len(d.Leaves))
	for i := range d.Leaves {
		placed := &d.Leaves[i]
		is[placed.Position], at[placed.Leaf.ID] = placed.Leaf.InTree, placed.Position
	}
	return next, next.plant(ref, v.stored.with(is), next.findIn(at), v, changed)
}

// changed returns the view after a change, but for its trees, and the first leaf that is not the one it was;
// nil where the change does not fit.
func (v *view) changed(version uint64, header *Header, put []Placed) (next *view, changed int) {
	leaves, fits := v.leaves.with(put)
	if !fits {
		return nil, 0
	}
	next, changed = &view{version: version, header: *header, leaves: leaves, ids: v.ids}, v.leaves.n
	if next.ids == nil && leaves.n > indexed {
		next.ids = new(leafIndex)
	}
	for i := range put {
		if at := put[i].Position; at < changed && put[i].Leaf.Hash() != v.leaves.at(at).Hash() {
			changed = at
		}
	}
	return next, changed
}

// plant gives the view its trees, and checks their roots: in are the leaves of the stored one. Leaves before
// changed are those of the view before.
func (v *view) plant(ref Ref, in members, find finder, before *view, changed int) error {
	if len(v.header.Order) == in.count && in.count > 0 {
		v.stored = v.orderedTree(in)
	} else {
		v.stored = v.grow(in, changed, before.pending, before.stored)
	}
	if v.stored.Root() != v.header.Root {
		return &RootMismatch{Ref: ref, Stored: v.header.Root, Leaves: v.stored.Root()}
	}
	if p := v.header.Pending; p != nil {
		v.pending = v.treeAfter(p, find, before, changed)
		if v.pending.Root() != p.Root {
			return &RootMismatch{Ref: ref, Stored: p.Root, Leaves: v.pending.Root(), Pending: true}
		}
	}
	return nil
}

// treeAfter returns the tree as p makes it of the stored one.
func (v *view) treeAfter(p *PendingRoot, find finder, before *view, changed int) *leafTree {
	is := make(map[int]bool, len(p.Add)+len(p.Remove))
	for _, id := range p.Remove {
		if i, ok := find(id); ok {
			is[i] = false
		}
	}
	for _, id := range p.Add {
		if i, ok := find(id); ok {
			is[i] = true
		}
	}
	return v.grow(v.stored.with(is), changed, v.stored, before.pending)
}

// treeWith is treeAfter of a change that is planned: its leaves that v does not have are appended.
func (v *view) treeWith(p *PendingRoot, leaves []Leaf) *leafTree {
	var added []Placed
	at := make(map[string]int, len(leaves))
	for i := range leaves {
		if id := leaves[i].ID; !v.has(id) {
			at[id] = v.leaves.n + len(added)
			added = append(added, Placed{at[id], leaves[i]})
		}
	}
	next, _ := v.changed(v.version, &v.header, added) // which fits
	next.stored = v.stored
	return next.treeAfter(p, v.findIn(at), v, v.leaves.n)
}

// grow returns the tree over the members, out of the one of those there were that has most of it. Leaves
// before changed are those of then, or of now.
func (v *view) grow(in members, changed int, trees ...*leafTree) *leafTree {
	from, kept, best := 0, 0, new(merkle.Tree)
	for _, t := range trees {
		if t == nil || t.order != nil {
			continue
		}
		same := in.difference(&t.members)
		if same >= t.end() && same >= in.end() && (t.end() <= changed || t == v.stored) {
			return t
		}
		if t != v.stored {
			same = min(same, changed)
		}
		if same >= from {
			from, kept, best = same, in.rank(same), t.Tree
		}
	}
	positions := in.from(from)
	return &leafTree{Tree: best.With(kept, in.count, v.hashes(positions, kept)), members: in}
}

// orderedTree returns the tree over the members in the order that the header has.
func (v *view) orderedTree(in members) *leafTree {
	positions := in.from(0)
	rank := make(map[string]int, len(v.header.Order))
	for n, id := range v.header.Order {
		rank[id] = n
	}
	slices.SortStableFunc(positions, func(a, b int) int {
		return cmp.Compare(rank[v.leaves.at(a).ID], rank[v.leaves.at(b).ID])
	})
	t := &leafTree{members: in, order: make(map[int]int, len(positions))}
	for n, i := range positions {
		t.order[i] = n
	}
	t.Tree = new(merkle.Tree).With(0, len(positions), v.hashes(positions, 0))
	return t
}

// hashes are those of the leaves at such positions, of which the first is leaf kept of a tree.
func (v *view) hashes(positions []int, kept int) merkle.Leaves {
	return func(hashes []common.Hash, first int) {
		keccak.Many(hashes, func(dst []byte, i int) []byte {
			l := v.leaves.at(positions[first-kept+i])
			return contracts.AppendSessionLeaf(dst, l.ValidUntil, l.ValidAfter, l.Module, l.Data)
		})
	}
}

// state returns all of the view as a store has it. It must not be changed.
func (v *view) state() *State {
	return &State{Version: v.version, Header: v.header, Leaves: v.leaves.flat()}
}

// find returns where the leaf with that ID stands.
func (v *view) find(id string) (int, bool) {
	if v.ids != nil {
		return v.ids.find(&v.leaves, id)
	}
	for i := range v.leaves.n {
		if v.leaves.at(i).ID == id {
			return i, true
		}
	}
	return 0, false
}

// finder tells where the leaf with an ID stands.
type finder func(id string) (int, bool)

// findIn looks at those first: a change is mostly about the leaves in it.
func (v *view) findIn(at map[string]int) finder {
	return func(id string) (int, bool) {
		if i, ok := at[id]; ok {
			return i, true
		}
		return v.find(id)
	}
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

// positions returns where the tree's leaves stand in the store, in the order of the tree.
func (t *leafTree) positions() []int {
	positions := t.from(0)
	if t.order != nil {
		slices.SortFunc(positions, func(a, b int) int { return cmp.Compare(t.order[a], t.order[b]) })
	}
	return positions
}

// appendProof appends the proof of a leaf at that position of the store.
func (t *leafTree) appendProof(dst []common.Hash, i int, leaf *Leaf) ([]common.Hash, error) {
	if !t.has(i) {
		return dst, fmt.Errorf("%w: %s is not in the tree of root %s", ErrNoLeaf, leaf.name(), t.Root())
	}
	at := t.rank(i)
	if t.order != nil {
		at = t.order[i]
	}
	return t.AppendProof(dst, at)
}

func set[K comparable](keys []K) map[K]bool {
	m := make(map[K]bool, len(keys))
	for _, key := range keys {
		m[key] = true
	}
	return m
}
