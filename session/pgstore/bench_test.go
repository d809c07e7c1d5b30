package pgstore_test

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
)

// The server of the benchmarks writes without fsync: on a real one, a change costs one of those more.

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			store := open(b, server.URL(b))
			_, err := store.Apply(b.Context(), testRef, 0, &session.Change{Put: newLeaves(0, n)})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				_, err := store.Load(b.Context(), testRef)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkVersion(b *testing.B) {
	store := open(b, server.URL(b))
	_, err := store.Apply(b.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 1)})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := store.Version(b.Context(), testRef)
		require.NoError(b, err)
	}
}

func BenchmarkHold(b *testing.B) {
	store := open(b, server.URL(b))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, store.Hold(b.Context(), testRef, func(uint64) error { return nil }))
	}
}

// BenchmarkApply revokes one leaf and grants another in sessions of so many leaves.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			store := open(b, server.URL(b))
			version, err := store.Apply(b.Context(), testRef, 0, &session.Change{Put: newLeaves(0, n)})
			require.NoError(b, err)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				change := &session.Change{Put: []session.Leaf{newLeaf(i % n), newLeaf(n + i)}}
				change.Put[0].Status = session.StatusRevoked
				version, err = store.Apply(b.Context(), testRef, version, change)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkApplyMany(b *testing.B) {
	store := open(b, server.URL(b))
	leaves := newLeaves(0, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ref := session.Ref{ChainID: uint64(i + 1), Account: testRef.Account}
		_, err := store.Apply(b.Context(), ref, 0, &session.Change{Put: leaves})
		require.NoError(b, err)
	}
}

func BenchmarkSignDigest(b *testing.B) {
	store := open(b, server.URL(b))
	key, err := store.NewKey(b.Context(), testRef)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := store.SignDigest(b.Context(), session.SignRequest{Ref: testRef, Key: key, Digest: common.Hash{1}})
		require.NoError(b, err)
	}
}
