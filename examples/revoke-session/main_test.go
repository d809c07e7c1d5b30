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
	require.NoError(t, stage.Play(t.Context(), &out, revoke))
	require.Regexp(t, `(?s)mint-nft         active.*mint-nft         revoked.*refused          session is revoked: session mint-nft.*transaction      0x`, out.String())
}
