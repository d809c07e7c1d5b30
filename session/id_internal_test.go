package session

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A store of somebody else's may hold what this package would not have put there.
func TestAnIDFromElsewhereIsQuoted(t *testing.T) {
	require.Equal(t, `session "a\x1b[2J\n"`, (&Leaf{ID: "a\x1b[2J\n"}).name())
	require.Equal(t, "session alice's é", (&Leaf{ID: "alice's é"}).name())
}
