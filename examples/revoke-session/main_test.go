package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/examples/internal/stage"
	"github.com/go-sesame/sesame/internal/testutil"
)

func TestScene(t *testing.T) {
	testutil.NewChain(t, testutil.ChainConfig{}) // skips where the contracts are not installed
	var out bytes.Buffer
	require.NoError(t, stage.Play(t.Context(), &out, revoke))
	require.Regexp(t, `(?s)mint-nft         active.*mint-nft         revoked.*refused          session is revoked: session mint-nft.*transaction      0x`, out.String())
}
