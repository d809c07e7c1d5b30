package session

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMembers compares members with a list of what is in them, through changes at random.
func TestMembers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		leaves := make([]Leaf, random.IntN(300))
		in := make([]bool, len(leaves)+50) // and some behind them
		few := []int{1, 2, 50}[random.IntN(3)]
		for i := range leaves {
			in[i] = random.IntN(few) == 0 || few == 50 && i < 100
			leaves[i].InTree = in[i]
		}
		list := newLeafList(leaves)
		m := membersOf(&list, func(l *Leaf) bool { return l.InTree })
		for range 4 {
			requireMembers(t, in, &m, random.IntN(len(in)))
			is, first := make(map[int]bool), len(in)
			for range random.IntN(5) {
				is[random.IntN(len(in))] = random.IntN(2) == 0
			}
			next := m.with(is)
			for i, now := range is {
				if now != in[i] {
					first = min(first, i)
				}
				in[i] = now
			}
			if first < len(in) {
				require.Equal(t, first, m.difference(&next))
			} else {
				require.GreaterOrEqual(t, m.difference(&next), m.end())
			}
			m = next
		}
	}
}

func requireMembers(t *testing.T, in []bool, m *members, from int) {
	t.Helper()
	count, positions := 0, []int{}
	for i := range in {
		require.Equal(t, count, m.rank(i))
		require.Equal(t, in[i], m.has(i))
		if in[i] {
			count++
		}
		if in[i] && i >= from {
			positions = append(positions, i)
		}
	}
	require.Equal(t, count, m.count)
	require.Equal(t, positions, m.from(from))
}
