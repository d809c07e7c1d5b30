package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/examples/internal/stage"
)

func TestScene(t *testing.T) {
	accounttest.NewChain(t, accounttest.ChainConfig{}) // skips where the contracts are not installed
	var out bytes.Buffer
	require.NoError(t, stage.Play(t.Context(), &out, pay))
	require.Regexp(t, `(?s)in DEMO .*in DEMO6 .*calls            2\n.*fee  .*calls            1\n.*fee  .*refused          .*not as quoted: the paymaster takes up to [0-9]+ of token 0x[0-9A-Fa-f]{40} \(DEMO6\), the quote's MaxFee is `, out.String())
}
