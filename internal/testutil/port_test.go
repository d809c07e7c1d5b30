package testutil_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil"
)

func TestFreePort(t *testing.T) {
	seen := make(map[int]bool)
	for range 200 {
		port, err := testutil.FreePort()
		require.NoError(t, err)
		require.False(t, seen[port])
		seen[port] = true
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}
