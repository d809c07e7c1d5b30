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
		require.NoError(t, run(t.Context(), &out, options{services: services, nft: demo.NFT, token: demo.Token6}))
		require.Regexp(t, `(?s)in DEMO .*in DEMO6 .*calls            2\n.*fee  .*calls            1\n.*fee  .*refused          .*not as quoted: the paymaster takes up to [0-9]+ of token 0x[0-9A-Fa-f]{40} \(DEMO6\), the quote's MaxFee is `, out.String())
	}
}
