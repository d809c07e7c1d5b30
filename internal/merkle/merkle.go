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
	return new(Tree).With(0, len(leaves), func(i int) common.Hash { return leaves[i] })
}

// With returns the tree of n leaves whose first ones are the first keep of t, and the others leaf(i), which
// is called from several goroutines at once. It hashes what is to the right of the kept leaves alone.
func (t *Tree) With(keep, n int, leaf func(i int) common.Hash) *Tree {
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
		next.blocks[block] = extend(old, t.blockLen(block), max(keep-first, 0), next.blockLen(block), func(i int) common.Hash { return leaf(first + i) })
	})
	if len(next.blocks) == 1 {
		return next
	}
	top, over := t.top, len(t.blocks)
	if over == 1 {
		top = t.blocks[0][len(t.blocks[0])-1:]
	}
	next.top = extend(top, over, kept, len(next.blocks), func(i int) common.Hash { return next.blocks[i].root() })
	return next
}

// blockLen is how many leaves the block has.
func (t *Tree) blockLen(i int) int { return max(0, min(blockSize, t.n-i*blockSize)) }

// extend returns the layers over n leaves: the first keep of old, which has oldLen, and leaf(i). The nodes
// over pairs of kept ones are taken from there.
func extend(old layers, oldLen, keep, n int, leaf func(i int) common.Hash) layers {
	if n == 0 {
		return nil
	}
	h := keccak.Get()
	defer h.Put()
	all := append(make(layers, 0, nodes(n)), old[:keep]...)
	for i := keep; i < n; i++ {
		all = append(all, leaf(i))
	}
	for layer := all; len(layer) > 1; layer = all[len(all)-(len(layer)+1)/2:] {
		old, oldLen, keep = old[min(oldLen, len(old)):], (oldLen+1)/2, keep/2
		all = append(all, old[:keep]...)
		for i := 2 * keep; i < len(layer); i += 2 {
			if i+1 < len(layer) {
				all = append(all, hashPair(h, &layer[i], &layer[i+1]))
			} else {
				all = append(all, layer[i])
			}
		}
	}
	return all
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
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return h.Sum(append(append(h.Buffer(), a[:]...), b[:]...))
}
