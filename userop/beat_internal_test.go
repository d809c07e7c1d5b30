package userop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node that named a block which never was, or whose chain begins anew, is followed again.
func TestABeatGoesBackWithTheChain(t *testing.T) {
	var b beat
	now := time.Unix(1_700_000_000, 0)
	saw := func(head uint64) bool {
		now = now.Add(time.Second)
		return b.saw(head, now, now.Add(time.Millisecond))
	}
	require.True(t, saw(1<<63))
	for range beatPatience - 1 {
		require.False(t, saw(100), "one of several nodes may be wrong for a moment")
	}
	require.True(t, saw(100))
	require.False(t, saw(100))
	require.True(t, saw(101))
	for range 3 * beatPatience {
		require.False(t, saw(101-reorgDepth), "a node that lags, or a reorg")
	}
	require.True(t, saw(102))
	require.Positive(t, b.period)
}
