package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
)

func TestDemo(t *testing.T) {
	services := accounttest.NewDevnet(t, accounttest.DevnetConfig{}).Services // skips where the contracts are not installed
	for chain, args := range map[string][]string{
		"80002, in this process": nil,
		"80002":                  {"-rpc", services.RPC, "-bundler", services.Bundler, "-paymaster", services.Paymaster},
	} {
		var buffer bytes.Buffer
		require.NoError(t, run(t.Context(), args, &buffer, io.Discard))
		requireStory(t, chain, buffer.String())
	}
}

// The same story without the contracts.
func TestDemoOnModel(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-model"}, &out, io.Discard))
	require.Contains(t, out.String(), "This is a model")
	requireStory(t, "80002, a model", out.String())
}

func requireStory(t *testing.T, chain, out string) {
	t.Helper()
	require.Contains(t, out, "  chain            "+chain+"\n")
	require.Regexp(t, `may call safeMint\(address\) on 0x\w{40} with to = 0x\w{40}, no value, until \d{4}-`, out)
	require.Regexp(t, `(?s)The dapp mints.*user operation   0x\w{64}\n  transaction      0x\w{64}\n  gas used         \d+\n.*NFT balance      1\n`, out)
	require.Regexp(t, `refused          session \w+: rule 0 \(to\): 0x\w{40} must be = 0x\w{40}`, out)
	require.Regexp(t, `refused          user operation .*ABISV Arg Rule Violated`, out)
}

// TestOutside plays the dapp against services it knows by URL, with a directory of the TypeScript SDK.
func TestOutside(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{}) // skips where the contracts are not installed
	ctx, services, nft := t.Context(), devnet.Services, devnet.Chain.Contracts.NFT
	ownerKey, err := crypto.GenerateKey()
	require.NoError(t, err)
	owner := devnet.Client.OwnedAccount(account.KeyOwner(ownerKey))
	dir := filepath.Join(t.TempDir(), "store")
	store, err := tsstore.OpenPlaintext(dir, devnet.Client.ChainID())
	require.NoError(t, err)
	key, err := store.NewKey(ctx, owner.Ref())
	require.NoError(t, err)
	granted, tx, err := owner.Grant(ctx, store, []policy.Policy{session.Named("mint-nft", policy.ABI{
		Key:      key,
		Contract: nft,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})}, account.Sponsored())
	require.NoError(t, err)
	_, err = granted.Activate(ctx, tx)
	require.NoError(t, err)
	// As the SDK leaves it behind: nothing but its own fields, the leaf still pending.
	file := filepath.Join(dir, strings.ToLower(owner.Address().Hex())+"_sessions.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = regexp.MustCompile(`"ACTIVE"`).ReplaceAll(text, []byte(`"PENDING"`))
	var sdk map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &sdk))
	delete(sdk, "sesame")
	text, err = json.Marshal(sdk)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))

	user := owner.Address().Hex()
	args := func(more ...string) []string {
		return append([]string{
			"-rpc", services.RPC, "-bundler", services.Bundler, "-paymaster", services.Paymaster, "-store", dir, "-account", user,
			"-to", nft.Hex(), "-call", "safeMint(address)",
		}, more...)
	}
	var out bytes.Buffer
	require.NoError(t, run(ctx, args("-args", user), &out, io.Discard))
	require.Regexp(t, `user operation   0x\w{64}\n  transaction      0x\w{64}\n  gas used         \d+\n`, out.String())
	require.Contains(t, out.String(), "NFT balance      1")

	thief := common.HexToAddress("0xdead").Hex()
	tests := map[string]struct {
		args []string
		text string
	}{
		"refused locally":        {args("-args", thief), "rule 0"},
		"refused by the chain":   {args("-args", thief, "-check=false"), "ABISV Arg Rule Violated"},
		"leaf out of range":      {args("-args", user, "-leaf", "1"), "leaf 1 of account " + user + " on chain 80002; it has leaves 0 to 0"},
		"no arguments":           {args(), "-args: "},
		"too many arguments":     {args("-args", user+",1"), "-args: "},
		"bad account":            {args("-args", user, "-account", "0x1"), `-account: "0x1" is not an address`},
		"bad value":              {args("-args", user, "-value", "1.5"), `-value: "1.5" is not an amount of wei`},
		"bad function":           {args("-args", user, "-call", "safeMint(adress)"), "-call: "},
		"no such directory":      {args("-args", user, "-store", dir+"-not"), "-store: "},
		"another account":        {args("-args", user, "-account", thief), "no session stored for account " + thief},
		"bundler out of reach":   {args("-args", user, "-bundler", "http://127.0.0.1:1/api/v2/80002/secret"), "connection refused"},
		"node out of reach":      {args("-args", user, "-rpc", "http://127.0.0.1:1"), "connection refused"},
		"services missing":       {[]string{"-rpc", services.RPC, "-account", user, "-to", user}, "missing -bundler, -store"},
		"something unexpected":   {args("-args", user, "now"), `unexpected argument "now"`},
		"a flag that is not one": {args("-quick"), "flag provided but not defined: -quick"},
	}
	for name, tt := range tests {
		err := run(ctx, tt.args, io.Discard, io.Discard)
		require.ErrorContains(t, err, tt.text, name)
		require.NotContains(t, err.Error(), "secret", name)
	}
	require.NoError(t, run(ctx, []string{"-h"}, io.Discard, &out))
	require.Contains(t, out.String(), "sends one call with a stored session; exit status 1 if it fails")
}
