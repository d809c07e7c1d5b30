package session_test

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// BenchmarkFind looks for the leaf of a call among others: those of other contracts, of the contract's other
// recipients, and of times that are over.
func BenchmarkFind(b *testing.B) {
	m := policy.Modules{}.WithDefaults()
	to := func(n int) common.Address {
		return common.BytesToAddress([]byte{1, byte(n >> 16), byte(n >> 8), byte(n)})
	}
	for name, leafOf := range map[string]func(n int) policy.ABI{
		"contracts": func(n int) policy.ABI {
			return policy.ABI{Contract: to(n), Rules: []policy.Rule{policy.Arg("to", policy.Equal, to(1))}, Window: policy.Forever()}
		},
		"recipients": func(n int) policy.ABI {
			return policy.ABI{Contract: to(1), Rules: []policy.Rule{policy.Arg("to", policy.Equal, to(n))}, Window: policy.Forever()}
		},
	} {
		for _, n := range []int{1, 100, 10_000} {
			leaves, hashes := make([]session.Leaf, n), make([]common.Hash, n)
			for i := range leaves {
				p := leafOf(1 + i)
				p.Key, p.Function = keyAddress(testKey), "safeMint(address to)"
				compiled, err := p.Compile(m)
				require.NoError(b, err)
				leaves[i] = session.Leaf{ID: fmt.Sprint(i), Status: session.StatusActive, InTree: true, Key: p.Key, Compiled: compiled}
				hashes[i] = leaves[i].Hash()
			}
			store := memstore.New()
			_, err := store.Apply(b.Context(), testRef, 0, &session.Change{Header: session.Header{Root: merkle.New(hashes).Root()}, Put: leaves})
			require.NoError(b, err)
			sess, err := session.Open(b.Context(), store, testRef)
			require.NoError(b, err)
			data, err := abi.Pack("function safeMint(address to)", to(1))
			require.NoError(b, err)
			b.Run(fmt.Sprintf("of %d %s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if found, err := sess.Find(m, abi.Call{To: to(1), Data: data}); err != nil || len(found) != 1 {
						b.Fatal(found, err)
					}
				}
			})
		}
	}
}
