package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

func TestScene(t *testing.T) {
	demo := accounttest.WellKnownContracts()
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{}) // skips where the contracts are not installed
	for _, services := range []accounttest.Services{{}, devnet.Services} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out, options{services: services, nft: demo.NFT, token: demo.Token}))
		require.Regexp(t, `(?s)mint-nft         active.*mint-nft         revoked.*refused          session is revoked: session mint-nft.*transaction      0x`, out.String())
	}
}
