package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

func TestScene(t *testing.T) {
	accounttest.NewChain(t, accounttest.ChainConfig{}) // skips where the contracts are not installed
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, options{nft: accounttest.WellKnownContracts().NFT}))
	require.Regexp(t, `(?s)on chain 80002   active.*on chain 137     active.*on chain 42161   active.*signatures       1\n.*on chain 80002   0x.*on chain 137     0x.*on chain 42161   0x`, out.String())
}

func TestSceneOnRunningChains(t *testing.T) {
	o := options{nft: accounttest.WellKnownContracts().NFT}
	for _, id := range []uint64{10, 56} {
		services := accounttest.NewDevnet(t, accounttest.DevnetConfig{ChainID: id}).Services
		require.NoError(t, o.addChain(services.RPC+","+services.Bundler+","+services.Paymaster))
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, o))
	require.Regexp(t, `(?s)on chain 10      active.*on chain 56      active.*signatures       1\n.*on chain 10      0x.*on chain 56      0x`, out.String())
	require.EqualError(t, o.addChain("http://127.0.0.1:1"), "want three URLs: of a node, a bundler and a paymaster")
}
