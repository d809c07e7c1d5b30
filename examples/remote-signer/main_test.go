package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account/accounttest"
)

func TestMain(m *testing.M) {
	var opts []goleak.Option
	for _, function := range accounttest.LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(m, opts...)
}

func TestScene(t *testing.T) {
	accounttest.NewChain(t, accounttest.ChainConfig{}) // skips where the contracts are not installed
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, options{nft: accounttest.WellKnownContracts().NFT}))
	require.Regexp(t, `(?s)transaction      0x\w{64}\n  transaction      0x\w{64}\n.*`+
		`refused          user operation of .* the signer refuses: key 0x\w{40} has signed 2 operations within 24h0m0s, and may not sign more\n.*`+
		`refused          remote signer at 127.0.0.1:\d+: sign: the signer refuses: no operation comes with the digest\n$`, out.String())
}
