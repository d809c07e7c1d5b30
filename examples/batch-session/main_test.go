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
	require.NoError(t, stage.Play(t.Context(), &out, batch))
	require.Regexp(t, `(?s)user operation   0x.*user operation   0x.*refused          call 1: session mint-tokens: rule 1 \(amount\): 101 must be ≤ 100`, out.String())
}
