// Package merkle builds the trees whose roots accounts keep and sign: those of session leaves, and those of
// operations on several chains.
package merkle

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/cores"
	"github.com/go-sesame/sesame/internal/keccak"
)

// Tree is a Merkle tree: keccak256 over sorted pairs, the leaves taken as they are, a node without a sibling
// carried up unchanged (what merkletreejs builds with sortPairs and OpenZeppelin's MerkleProof verifies). It
// is immutable and safe for concurrent use; the next one of an account shares with it what did not change
// ([Tree.With]).
type Tree struct {
	n      int
	blocks []layers // the subtrees over so many leaves each, and what is left
	top    layers   // the tree over their roots, nil for one block
}

// blockSize is how many leaves a block has: a power of two, so that no pair is of two blocks.
const blockSize = 256

// layers are the nodes of a tree, one layer behind the other: from the leaves to the root alone.
type layers []common.Hash

// New builds the tree over leaf hashes in their order. No leaves make a tree whose root is zero.
func New(leaves []common.Hash) *Tree {
	return new(Tree).With(0, len(leaves), func(hashes []common.Hash, first int) { copy(hashes, leaves[first:]) })
}

// Leaves gives the hashes of as many leaves as there are places for, from the first on.
type Leaves func(hashes []common.Hash, first int)

// With returns the tree of n leaves whose first ones are the first keep of t, and the others those of leaves,
// which is called from several goroutines at once. It hashes what is to the right of the kept leaves alone.
func (t *Tree) With(keep, n int, leaves Leaves) *Tree {
	next := &Tree{n: n, blocks: make([]layers, (n+blockSize-1)/blockSize)}
	kept := keep / blockSize // blocks
	copy(next.blocks, t.blocks[:kept])
	cores.Each(len(next.blocks)-kept, func(i int) {
		block := kept + i
		first := block * blockSize
		var old layers
		if first < keep {
			old = t.blocks[block]
		}
		next.blocks[block] = extend(old, t.blockLen(block), max(keep-first, 0), next.blockLen(block), func(hashes []common.Hash, from int) { leaves(hashes, first+from) })
	})
	if len(next.blocks) == 1 {
		return next
	}
	top, over := t.top, len(t.blocks)
	if over == 1 {
		top = t.blocks[0][len(t.blocks[0])-1:]
	}
	next.top = extend(top, over, kept, len(next.blocks), next.roots)
	return next
}

// roots gives the roots of blocks, which are the leaves of the top.
func (t *Tree) roots(hashes []common.Hash, first int) {
	for i := range hashes {
		hashes[i] = t.blocks[first+i].root()
	}
}

// blockLen is how many leaves the block has.
func (t *Tree) blockLen(i int) int { return max(0, min(blockSize, t.n-i*blockSize)) }

// extend returns the layers over n leaves: the first keep of old, which has oldLen, and those of leaves. The
// nodes over pairs of kept ones are taken from there.
func extend(old layers, oldLen, keep, n int, leaves Leaves) layers {
	if n == 0 {
		return nil
	}
	all := make(layers, nodes(n))
	copy(all, old[:keep])
	leaves(all[keep:n], keep)
	for layer, rest := all[:n], all[n:]; len(layer) > 1; {
		old, oldLen, keep = old[min(oldLen, len(old)):], (oldLen+1)/2, keep/2
		above := rest[:(len(layer)+1)/2]
		copy(above, old[:keep])
		layer.hashPairs(above, keep)
		layer, rest = above, rest[len(above):]
	}
	return all
}

// hashPairs puts the nodes over the layer's pairs, from that one on, into the layer above.
func (l layers) hashPairs(above layers, from int) {
	pairs := len(l) / 2
	keccak.Many(above[from:pairs], func(dst []byte, i int) []byte {
		i = 2 * (from + i)
		return appendPair(dst, &l[i], &l[i+1])
	})
	if pairs < len(above) {
		above[pairs] = l[len(l)-1]
	}
}

// nodes is how many there are in all layers over n leaves.
func nodes(n int) int {
	sum := n
	for n > 1 {
		n = (n + 1) / 2
		sum += n
	}
	return sum
}

func (l layers) root() common.Hash { return l[len(l)-1] }

// appendProof appends the siblings on the way from leaf i of n to the root.
func (l layers) appendProof(dst []common.Hash, i, n int) []common.Hash {
	for ; n > 1; i, n = i/2, (n+1)/2 {
		if sibling := i ^ 1; sibling < n {
			dst = append(dst, l[sibling])
		}
		l = l[n:]
	}
	return dst
}

// Len returns the number of leaves.
func (t *Tree) Len() int { return t.n }

// Leaf returns the hash of leaf i, which is one.
func (t *Tree) Leaf(i int) common.Hash { return t.blocks[i/blockSize][i%blockSize] }

// Root returns the Merkle root, zero for a tree without leaves.
func (t *Tree) Root() common.Hash {
	switch len(t.blocks) {
	case 0:
		return common.Hash{}
	case 1:
		return t.blocks[0].root()
	}
	return t.top.root()
}

// Proof returns the siblings of leaf i from the leaves up, empty for a tree of one leaf.
func (t *Tree) Proof(i int) ([]common.Hash, error) {
	return t.AppendProof(make([]common.Hash, 0, maxDepth), i)
}

// maxDepth is the length of a proof in a tree of 2^16 leaves; longer ones are possible.
const maxDepth = 16

// AppendProof is [Tree.Proof] behind what is in dst.
func (t *Tree) AppendProof(dst []common.Hash, i int) ([]common.Hash, error) {
	if i < 0 || i >= t.n {
		return dst, fmt.Errorf("no leaf %d in a tree of %d", i, t.n)
	}
	at := i / blockSize
	dst = t.blocks[at].appendProof(dst, i%blockSize, t.blockLen(at))
	return t.top.appendProof(dst, at, len(t.blocks)), nil
}

// Verify reports whether proof leads from leaf to root, as OpenZeppelin's MerkleProof.verify does.
func Verify(root, leaf common.Hash, proof []common.Hash) bool {
	h := keccak.Get()
	defer h.Put()
	for i := range proof {
		leaf = hashPair(h, &leaf, &proof[i])
	}
	return leaf == root
}

func hashPair(h *keccak.Hasher, a, b *common.Hash) common.Hash {
	return h.Sum(appendPair(h.Buffer(), a, b))
}

// appendPair appends what the node over two is the hash of.
func appendPair(dst []byte, a, b *common.Hash) []byte {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return append(append(dst, a[:]...), b[:]...)
}
