package main

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/testutil/pgtest"
)

// A handful of kills; make kill does as many as are asked for.
func TestKills(t *testing.T) {
	for _, store := range []string{"file", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			accounttest.NewChain(t, accounttest.ChainConfig{}) // skips where the contracts are not installed
			if store == "postgres" {
				var server pgtest.Server
				server.Root(t) // skips where there is no server
				require.NoError(t, server.Close())
			}
			var out io.Writer = io.Discard
			if testing.Verbose() {
				out = os.Stdout
			}
			require.NoError(t, run(t.Context(), &options{kills: 4, store: store, seed: 1}, out))
		})
	}
}
