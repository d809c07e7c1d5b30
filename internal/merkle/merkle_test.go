package merkle_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/internal/testutil"
)

func TestTreeVectors(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Leaves []common.Hash
			Root   common.Hash
			Proofs [][]common.Hash
		}
	}
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "trees.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)
	for _, c := range vectors.Cases {
		t.Run(fmt.Sprintf("%d leaves", len(c.Leaves)), func(t *testing.T) {
			tree := merkle.New(c.Leaves)
			require.Equal(t, c.Root, tree.Root())
			require.Equal(t, len(c.Leaves), tree.Len())
			require.Len(t, c.Proofs, len(c.Leaves))
			for i, want := range c.Proofs {
				proof, err := tree.Proof(i)
				require.NoError(t, err)
				require.ElementsMatch(t, want, proof)
				require.Equal(t, append([]common.Hash{}, want...), proof)
			}
		})
	}
}

func TestTreeProofsVerify(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 70; n++ {
		leaves := randomHashes(random, n)
		tree := merkle.New(leaves)
		for i, leaf := range leaves {
			proof, err := tree.Proof(i)
			require.NoError(t, err)
			require.True(t, merkle.Verify(tree.Root(), leaf, proof), "leaf %d of %d", i, n)
			require.False(t, merkle.Verify(tree.Root(), randomHashes(random, 1)[0], proof))
		}
	}
}

func TestTreeWithoutLeaves(t *testing.T) {
	tree := merkle.New(nil)
	require.Zero(t, tree.Root())
	require.Zero(t, tree.Len())
	_, err := tree.Proof(0)
	require.EqualError(t, err, "no leaf 0 in a tree of 0")
}

func TestTreeDoesNotKeepItsInput(t *testing.T) {
	leaves := randomHashes(rand.New(rand.NewPCG(3, 4)), 5)
	tree := merkle.New(leaves)
	root := tree.Root()
	proof, err := tree.Proof(0)
	require.NoError(t, err)
	leaves[1] = common.Hash{}
	again, err := tree.Proof(0)
	require.NoError(t, err)
	require.Equal(t, proof, again)
	require.Equal(t, root, tree.Root())
}

// plainRoot is the root by the words of the tree's description.
func plainRoot(layer []common.Hash) common.Hash {
	if len(layer) == 0 {
		return common.Hash{}
	}
	for len(layer) > 1 {
		var next []common.Hash
		for i := 0; i < len(layer); i += 2 {
			switch {
			case i+1 == len(layer):
				next = append(next, layer[i])
			case bytes.Compare(layer[i][:], layer[i+1][:]) < 0:
				next = append(next, crypto.Keccak256Hash(layer[i][:], layer[i+1][:]))
			default:
				next = append(next, crypto.Keccak256Hash(layer[i+1][:], layer[i][:]))
			}
		}
		layer = next
	}
	return layer[0]
}

// requireTree wants the tree to be that of the leaves, and every proof of it to lead to its root.
func requireTree(t *testing.T, leaves []common.Hash, tree *merkle.Tree) {
	t.Helper()
	require.Equal(t, len(leaves), tree.Len())
	require.Equal(t, plainRoot(leaves), tree.Root())
	for i, leaf := range leaves {
		require.Equal(t, leaf, tree.Leaf(i))
		proof, err := tree.Proof(i)
		require.NoError(t, err)
		require.True(t, merkle.Verify(tree.Root(), leaf, proof), "leaf %d of %d", i, len(leaves))
	}
}

// TestTreesOfManyBlocks has trees around the sizes at which blocks, layers and goroutines begin.
func TestTreesOfManyBlocks(t *testing.T) {
	leaves := randomHashes(rand.New(rand.NewPCG(7, 8)), 5000)
	for _, n := range []int{127, 128, 129, 255, 256, 257, 511, 512, 513, 767, 1023, 1025, 2047, 2049, 3000, 5000} {
		requireTree(t, leaves[:n], merkle.New(leaves[:n]))
	}
}

// TestNextTrees takes trees through any changes: each is the one that is built anew, and those before it stay
// as they were.
func TestNextTrees(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	type version struct {
		leaves []common.Hash
		tree   *merkle.Tree
	}
	versions := []version{{nil, merkle.New(nil)}}
	for range 150 {
		before := versions[random.IntN(len(versions))]
		keep := len(before.leaves)
		if random.IntN(3) == 0 {
			keep = random.IntN(keep + 1)
		}
		more := randomHashes(random, random.IntN([]int{2, 10, 300, 1500}[random.IntN(4)]))
		leaves := append(slices.Clone(before.leaves[:keep]), more...)
		versions = append(versions, version{leaves, before.tree.With(keep, len(leaves), func(hashes []common.Hash, first int) { copy(hashes, leaves[first:]) })})
	}
	for _, v := range versions {
		require.Equal(t, plainRoot(v.leaves), v.tree.Root())
	}
	for range 10 {
		v := versions[random.IntN(len(versions))]
		requireTree(t, v.leaves, v.tree)
	}
}

func BenchmarkTree(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		leaves := randomHashes(rand.New(rand.NewPCG(5, 6)), n)
		b.Run(fmt.Sprintf("build/%d", n), func(b *testing.B) {
			for b.Loop() {
				merkle.New(leaves)
			}
		})
		tree := merkle.New(leaves)
		b.Run(fmt.Sprintf("append/%d", n), func(b *testing.B) {
			for b.Loop() {
				tree.With(n, n+1, func(hashes []common.Hash, _ int) { hashes[0] = leaves[0] })
			}
		})
		b.Run(fmt.Sprintf("proof/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := tree.Proof(n / 2); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func randomHashes(random *rand.Rand, n int) []common.Hash {
	hashes := make([]common.Hash, n)
	for i := range hashes {
		for j := range hashes[i] {
			hashes[i][j] = byte(random.Uint32())
		}
	}
	return hashes
}
