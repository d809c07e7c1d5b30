package storekit_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/storekit"
)

// TestHistory takes one through random changes, some of them made by a program that keeps none: what it
// knows is right, and it knows the last ones.
func TestHistory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h storekit.History
	all, whole := [][]int{nil}, map[uint64]bool{} // by version
	for version := uint64(1); version < 2000; version++ {
		touched := make([]int, random.IntN(4))
		for i := range touched {
			touched[i] = random.IntN(30)
		}
		if random.IntN(50) == 0 {
			touched = make([]int, 300)
		}
		all = append(all, touched)
		whole[version] = random.IntN(40) == 0 || len(touched) == 300
		if random.IntN(50) == 0 {
			whole[version] = true
			continue // by the other program
		}
		h = h.After(version, touched, whole[version])
		again, ok := storekit.ParseHistory(h.Append(nil))
		require.True(t, ok)
		known := 0
		for since := version; since+40 > version && since <= version; since-- {
			positions, ok := again.Since(since, version)
			if !ok {
				break
			}
			var want []int
			for v := since + 1; v <= version; v++ {
				require.False(t, whole[v], "%d to %d", since, version)
				want = append(want, all[v]...)
			}
			slices.Sort(want)
			require.Equal(t, slices.Compact(want), slices.Clone(positions))
			known++
		}
		require.Positive(t, known)
		if version > 3 && !whole[version] && !whole[version-1] && !whole[version-2] {
			require.Greater(t, known, 2)
		}
		_, ok = h.Since(version, version+1)
		require.False(t, ok, "a change that it was not told of")
		_, ok = h.Since(version+1, version)
		require.False(t, ok, "a version that is gone")
	}
}

func FuzzParseHistory(f *testing.F) {
	f.Add(storekit.History{}.After(1, []int{1, 2}, false).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := storekit.ParseHistory(b); ok {
			again, ok := storekit.ParseHistory(h.Append(nil))
			require.True(t, ok)
			require.Equal(t, h, again)
		}
	})
}
