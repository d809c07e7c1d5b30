// Package merkle builds the trees whose roots accounts keep and sign: those of session leaves, and those of
// operations on several chains.
package merkle

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Tree is a Merkle tree: keccak256 over sorted pairs, the leaves taken as they are, a node without a sibling
// carried up unchanged (what merkletreejs builds with sortPairs and OpenZeppelin's MerkleProof verifies). It
// is immutable and safe for concurrent use.
type Tree struct {
	// layers[0] are the leaves, the last layer is the root alone.
	layers [][]common.Hash
}

// New builds the tree over leaf hashes in their order. No leaves make a tree whose root is zero.
func New(leaves []common.Hash) *Tree {
	if len(leaves) == 0 {
		return &Tree{}
	}
	hasher := crypto.NewKeccakState()
	layer := append([]common.Hash(nil), leaves...)
	tree := &Tree{layers: [][]common.Hash{layer}}
	for len(layer) > 1 {
		next := make([]common.Hash, (len(layer)+1)/2)
		for i := range next {
			if 2*i+1 < len(layer) {
				next[i] = hashPair(hasher, &layer[2*i], &layer[2*i+1])
			} else {
				next[i] = layer[2*i]
			}
		}
		tree.layers = append(tree.layers, next)
		layer = next
	}
	return tree
}

// Len returns the number of leaves.
func (t *Tree) Len() int {
	if len(t.layers) == 0 {
		return 0
	}
	return len(t.layers[0])
}

// Root returns the Merkle root, zero for a tree without leaves.
func (t *Tree) Root() common.Hash {
	if len(t.layers) == 0 {
		return common.Hash{}
	}
	return t.layers[len(t.layers)-1][0]
}

// Proof returns the siblings of leaf i from the leaves up, empty for a tree of one leaf.
func (t *Tree) Proof(i int) ([]common.Hash, error) {
	if i < 0 || i >= t.Len() {
		return nil, fmt.Errorf("no leaf %d in a tree of %d", i, t.Len())
	}
	proof := make([]common.Hash, 0, len(t.layers)-1)
	for _, layer := range t.layers[:len(t.layers)-1] {
		if sibling := i ^ 1; sibling < len(layer) {
			proof = append(proof, layer[sibling])
		}
		i /= 2
	}
	return proof, nil
}

// Verify reports whether proof leads from leaf to root, as OpenZeppelin's MerkleProof.verify does.
func Verify(root, leaf common.Hash, proof []common.Hash) bool {
	hasher := crypto.NewKeccakState()
	for i := range proof {
		leaf = hashPair(hasher, &leaf, &proof[i])
	}
	return leaf == root
}

func hashPair(hasher crypto.KeccakState, a, b *common.Hash) (h common.Hash) {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	hasher.Reset()
	hasher.Write(a[:])
	hasher.Write(b[:])
	hasher.Read(h[:])
	return h
}
