package tsstore

import (
	"iter"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/merkle"
)

// treeFinder looks for the tree that leaf nodes make up under a root, among those that programs are known to
// build. A tree is the positions of its leaves, in its order.
type treeFinder struct {
	nodes  []*node
	hashes []common.Hash
	budget int // how many more leaves of trees are tried
}

// maxTried bounds the leaves of all trees that are tried: half a second or so.
const maxTried = 1 << 20

func newTreeFinder(nodes []*node) *treeFinder {
	t := &treeFinder{nodes: nodes, hashes: make([]common.Hash, len(nodes)), budget: maxTried}
	for i, n := range nodes {
		t.hashes[i] = n.leaf.Hash()
	}
	return t
}

func (t *treeFinder) rootOf(tree []int) common.Hash {
	hashes := make([]common.Hash, len(tree))
	for i, at := range tree {
		hashes[i] = t.hashes[at]
	}
	return merkle.New(hashes).Root()
}

// memberships are the ways in which leaf nodes make up the tree of a root, by status. The SDK takes all; the
// others are of programs that clean up around it.
var memberships = []func(word string) bool{
	func(string) bool { return true },
	func(w string) bool { return w != revoked && w != inactive },
	func(w string) bool { return w == active || w == pending },
	func(w string) bool { return w == active || w == expired },
	func(w string) bool { return w == active },
	func(w string) bool { return w != pending },
	func(string) bool { return false },
}

// maxTrailing bounds how many new leaves at the end are tried to be outside the tree.
const maxTrailing = 32

// choice returns the tree of nodes that the root covers, each at most once.
func (t *treeFinder) choice(root common.Hash) ([]int, bool) {
	for _, member := range memberships {
		if tree := t.where(member); t.rootOf(tree) == root {
			return tree, true
		}
	}
	// The SDK writes leaves down one by one, then the root.
	all := t.all()
	for n := len(all) - 1; n >= max(0, len(all)-maxTrailing) && t.nodes[n].word == pending; n-- {
		if t.rootOf(all[:n]) == root {
			return all[:n], true
		}
	}
	return nil, false
}

// repetition returns the tree of the root if the SDK's revokeSessions made it: it adds the leaves that are to
// stay to a tree that has them already.
func (t *treeFinder) repetition(root common.Hash) ([]int, bool) {
	for tree := range t.repetitions() {
		if t.budget -= len(tree); t.budget < 0 {
			break
		}
		if t.rootOf(tree) == root {
			return tree, true
		}
	}
	return nil, false
}

// repetitions yields the trees that revokeSessions can have made, the likely ones first. It leaves out the
// last of the IDs it is given; storages that are written more carefully leave out all of them.
func (t *treeFinder) repetitions() iter.Seq[[]int] {
	all, gone := t.all(), t.where(func(word string) bool { return word == revoked })
	return func(yield func([]int) bool) {
		_ = t.once(len(all), gone, yield) &&
			t.once(len(all), all, yield) &&
			t.beforeGrants(gone, yield) &&
			t.subsets(nil, gone, yield) &&
			t.oneByOne(nil, gone, yield)
	}
}

// once yields the trees of one call, made when there were size nodes: without one of gone, without all of
// them, and with all that there were, as after an ID that does not exist.
func (t *treeFinder) once(size int, gone []int, yield func([]int) bool) bool {
	for _, at := range slices.Backward(gone) {
		if !yield(t.repeat(size, []int{at})) {
			return false
		}
	}
	return yield(t.repeat(size, gone)) && yield(t.repeat(size, nil))
}

// beforeGrants yields the trees of one call before the last grants, on the same instance.
func (t *treeFinder) beforeGrants(gone []int, yield func([]int) bool) bool {
	for size := len(t.nodes) - 1; size >= max(1, len(t.nodes)-maxTrailing); size-- {
		before, _ := slices.BinarySearch(gone, size)
		if !t.once(size, gone[:before], yield) {
			return false
		}
	}
	return true
}

// maxSubsets bounds of how many revoked leaves every choice is tried.
const maxSubsets = 8

// subsets yields the trees of one call without some of gone, as after other calls before it.
func (t *treeFinder) subsets(dropped, gone []int, yield func([]int) bool) bool {
	if len(gone) > maxSubsets {
		return true
	}
	for i, at := range gone {
		subset := append(slices.Clone(dropped), at)
		if !yield(t.repeat(len(t.nodes), subset)) || !t.subsets(subset, gone[i+1:], yield) {
			return false
		}
	}
	return true
}

// oneByOne yields the trees of several calls on one instance, which keeps what it built.
func (t *treeFinder) oneByOne(calls [][]int, gone []int, yield func([]int) bool) bool {
	for i, at := range gone {
		next := append(slices.Clone(calls), []int{at})
		rest := slices.Delete(slices.Clone(gone), i, i+1)
		if !yield(t.repeat(len(t.nodes), next...)) || !t.oneByOne(next, rest, yield) {
			return false
		}
	}
	return true
}

// repeat returns the tree over the first size nodes, for each call the same without those it dropped, in
// ascending order, and the other nodes.
func (t *treeFinder) repeat(size int, calls ...[]int) []int {
	all := t.all()
	tree := slices.Clone(all[:size])
	for _, dropped := range calls {
		for _, at := range all[:size] {
			if _, isDropped := slices.BinarySearch(dropped, at); !isDropped {
				tree = append(tree, at)
			}
		}
	}
	return append(tree, all[size:]...)
}

// where returns the positions of nodes by status.
func (t *treeFinder) where(member func(word string) bool) []int {
	tree := make([]int, 0, len(t.nodes))
	for i, n := range t.nodes {
		if member(n.word) {
			tree = append(tree, i)
		}
	}
	return tree
}

func (t *treeFinder) all() []int { return t.where(memberships[0]) }
