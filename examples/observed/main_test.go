package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

// shape is a printed trace without what differs from run to run: names, indented, those beside each other in
// order.
func shape(t *testing.T, out string) []string {
	t.Helper()
	_, traces, found := strings.Cut(out, "as traces\n")
	require.True(t, found)
	traces, _, found = strings.Cut(traces, "\n\n")
	require.True(t, found)
	var names []string
	for line := range strings.Lines(traces) {
		names = append(names, regexp.MustCompile(`^( *)(\* )?(\S+)`).FindString(line))
	}
	return names
}

func TestTraceOnTheModel(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-model"}, &out, io.Discard))
	names := shape(t, out.String())
	slices.Sort(names) // checks, the nonce and fees are read beside each other
	require.Equal(t, []string{
		"      sesame.load", "    sesame.check", "    sesame.fees", "    sesame.load", "    sesame.nonce", "    sesame.sign", "    sesame.sponsor", "    sesame.submit",
		"  sesame.send", "  sesame.wait",
	}, slices.Compact(names))
	require.Regexp(t, `sesame\.send +[0-9.]+ ms  .*sesame\.outcome=accepted`, out.String())
	require.Regexp(t, `sesame\.sends +1 \{send\} +sesame\.outcome=accepted`, out.String())
	require.Regexp(t, `sesame\.operations\.ended +1 \{operation\} +sesame\.outcome=landed`, out.String())
	require.Regexp(t, `sesame\.operation\.cost +1 times, [0-9.e+]+ \{wei\} in all  sesame\.outcome=landed sesame\.payer=paymaster`, out.String())
	require.Regexp(t, `  send chain=80002 account=0x\w{40} hash=0x\w{64} outcome=accepted took=`, out.String())
	require.Regexp(t, `  wait chain=80002 account=0x\w{40} hash=0x\w{64} outcome=landed took=\S+ gas=\d+ cost=\d+`, out.String())
}

// On the real contracts the services are behind JSON-RPC, and their requests are part of the stages.
func TestTraceOfServices(t *testing.T) {
	accounttest.NewDevnet(t, accounttest.DevnetConfig{}) // skips where the contracts are not installed
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out, io.Discard))
	traces := strings.Join(shape(t, out.String()), "\n")
	for stage, request := range map[string]string{
		"sesame.sponsor": "pm_sponsorUserOperation", "sesame.submit": "eth_sendUserOperation", "sesame.wait": "eth_getUserOperationReceipt",
	} {
		require.Regexp(t, `(?m)^( *)`+regexp.QuoteMeta(stage)+`\n {1,} {2}`+request+`$`, traces)
	}
	require.Regexp(t, `rpc\.client\.call\.duration +\d times, [0-9.e-]+ s in all  rpc\.method=eth_sendUserOperation`, out.String())
}

func TestUnknownArguments(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), []string{"now"}, io.Discard, io.Discard), `unexpected argument "now"`)
	var help bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, &help))
	require.Contains(t, help.String(), "-model")
}
