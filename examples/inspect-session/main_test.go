package main

import (
	"bytes"
	"io"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
)

func TestDemo(t *testing.T) {
	services := accounttest.NewDevnet(t, accounttest.DevnetConfig{}).Services // skips where the contracts are not installed
	for _, args := range [][]string{nil, {"-rpc", services.RPC, "-bundler", services.Bundler, "-paymaster", services.Paymaster}} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), args, &out, io.Discard))
		require.Regexp(t, `(?s)0\. mint-nft, active.*1\. mint-tokens, revoked.*2\. careless, active.*danger .*approve.*warning .*it listens to the batched session router.*shows a root that the store knows`, out.String())
	}
}

func TestFilesOfTheTypeScriptSDK(t *testing.T) {
	dir := t.TempDir()
	store, err := tsstore.OpenPlaintext(dir, 137)
	require.NoError(t, err)
	ref := session.Ref{ChainID: 137, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	minting := policy.ABI{
		Key: key, Contract: common.HexToAddress("0x22"), Function: "mint(uint256 amount)", Window: policy.Forever(),
	}
	compiled, err := minting.Compile(policy.Modules{}.WithDefaults())
	require.NoError(t, err)
	leaf := session.Leaf{ID: "mint", Status: session.StatusActive, InTree: true, Key: key, Compiled: compiled}
	_, err = store.Apply(t.Context(), ref, 0, &session.Change{Header: session.Header{Root: leaf.Hash()}, Put: []session.Leaf{leaf}})
	require.NoError(t, err)

	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-store", dir, "-account", ref.Account.Hex(), "-chain", "137"}, &out, io.Discard))
	require.Contains(t, out.String(), "session keys in clear: 1; ")
	require.Contains(t, out.String(), "0. mint, active")
	require.Contains(t, out.String(), "it never ends")
	require.NotContains(t, out.String(), "chain  ", "the chain was not asked")

	err = run(t.Context(), []string{"-store", dir + "x", "-account", ref.Account.Hex(), "-chain", "137"}, &out, io.Discard)
	require.ErrorContains(t, err, "-store: ")
	err = run(t.Context(), []string{"-store", dir, "-account", "me"}, &out, io.Discard)
	require.EqualError(t, err, `-account: "me" is not an address`)
}

func TestFlagsThatAreWrong(t *testing.T) {
	const someone = "0x000000000000000000000000000000000000dEaD"
	files := func(more ...string) []string { return append([]string{"-store", ".", "-account", someone}, more...) }
	for text, args := range map[string][]string{
		"missing -store; -h explains the flags":                                   {"-account", someone, "-chain", "137"},
		"missing -rpc or -chain: the files do not say which chain they are for":   files(),
		`unexpected argument "now"; -h explains the flags`:                        files("-chain", "137", "now"),
		"flag provided but not defined: -quick; -h explains the flags":            files("-quick"),
		"chain ID of the node: dial tcp 127.0.0.1:1: connect: connection refused": files("-rpc", "http://127.0.0.1:1/v3/secret"),
		`-rpc: invalid port ":1 1" after host`:                                    files("-rpc", "http://127.0.0.1:1 1/v3/secret"),
	} {
		require.EqualError(t, run(t.Context(), args, io.Discard, io.Discard), text)
	}
	var help bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, &help))
	require.Contains(t, help.String(), "reads session files of the TypeScript SDK")
}
