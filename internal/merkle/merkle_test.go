package merkle_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
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

func BenchmarkTree(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		leaves := randomHashes(rand.New(rand.NewPCG(5, 6)), n)
		b.Run(fmt.Sprintf("build/%d", n), func(b *testing.B) {
			for b.Loop() {
				merkle.New(leaves)
			}
		})
		tree := merkle.New(leaves)
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
