package main

import (
	"bufio"
	"context"
	"io"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

// TestDevnet runs the program, uses what it prints, and interrupts it.
func TestDevnet(t *testing.T) {
	accounttest.NewChain(t, accounttest.ChainConfig{}) // skips where the contracts are not installed
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, writer, io.Discard, accounttest.DevnetConfig{ChainID: 137}) }()

	lines := bufio.NewScanner(reader)
	require.True(t, lines.Scan())
	require.Equal(t, "Chain 137 runs until it is interrupted. Other examples run on it with", lines.Text())
	require.True(t, lines.Scan())
	urls := regexp.MustCompile(`^  -rpc (\S+) -bundler (\S+) -paymaster (\S+)$`).FindStringSubmatch(lines.Text())
	require.Len(t, urls, 4, lines.Text())
	go func() { _, _ = io.Copy(io.Discard, reader) }()

	network, err := accounttest.Services{RPC: urls[1], Bundler: urls[2], Paymaster: urls[3]}.Open(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 137, network.Client.ChainID())
	require.NoError(t, network.Close())
	interrupt()
	require.NoError(t, <-ended)
}
