package main

import (
	"bufio"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

// TestDevnet runs the command, uses what it prints with another one, and interrupts it.
func TestDevnet(t *testing.T) {
	accounttest.NewChain(t, accounttest.ChainConfig{}) // skips where the contracts are not installed
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	none := func(string) string { return "" }
	go func() {
		code := run(ctx, []string{"devnet", "-port", "0", "-chain", "137"}, strings.NewReader(""), writer, io.Discard, none)
		writer.Close()
		ended <- code
	}()
	lines := bufio.NewScanner(reader)
	require.True(t, lines.Scan())
	require.Equal(t, "Chain 137 runs until it is interrupted. Commands run on it with", lines.Text())
	require.True(t, lines.Scan())
	urls := regexp.MustCompile(`^  -node (\S+) -bundler (\S+) -paymaster (\S+)$`).FindStringSubmatch(lines.Text())
	require.Len(t, urls, 4, lines.Text())
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, reader)
	}()

	var out, note strings.Builder
	code := run(t.Context(), append([]string{"check-services"}, strings.Fields(lines.Text())...), strings.NewReader(""), &out, &note, none)
	require.Equal(t, exitOK, code, "%s%s", out.String(), note.String())
	for _, fit := range []string{"confirming operations", "sending operations of EntryPoint v0.6", "sponsoring with paymaster.New, sponsoring with paymaster.NewERC7677"} {
		require.Contains(t, out.String(), fit)
	}
	interrupt()
	require.Equal(t, exitOK, <-ended)
	<-drained
}

func TestDevnetThatIsWrong(t *testing.T) {
	w := newWorld(t)
	require.Contains(t, w.fails(exitUsage, "devnet", "-port", "70000"), "-port: 70000 is none")
	require.Contains(t, w.fails(exitUsage, "devnet", "now"), `unexpected argument "now"`)
}
