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
	require.NoError(t, stage.Play(t.Context(), &out, grantEverywhere))
	require.Regexp(t, `(?s)on chain 80002   active.*on chain 137     active.*on chain 42161   active.*signatures       1\n.*on chain 80002   0x.*on chain 137     0x.*on chain 42161   0x`, out.String())
}
