package accounttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
)

func TestProxyHashIsReplacedInMatchingFactoriesOnly(t *testing.T) {
	hash := bytes.Repeat([]byte{0xaa}, 32)
	program, trailer := []byte("program"), []byte("dsolc-trail")
	proxy := bytes.Join([][]byte{program, hash, trailer}, nil)
	factory := bytes.Join([][]byte{[]byte("<"), proxy, []byte("|"), proxy, []byte(">")}, nil)
	deployed := bytes.Join([][]byte{program, contracts.ProxyMetadataHash().Bytes(), trailer}, nil)

	require.Equal(t, bytes.Join([][]byte{[]byte("<"), deployed, []byte("|"), deployed, []byte(">")}, nil), withDeployedProxyHash(factory, proxy))
	other := []byte("a factory of something else")
	require.Equal(t, other, withDeployedProxyHash(other, proxy))
	require.Equal(t, other, withDeployedProxyHash(other, []byte("short")))
}

// fakeTB notes what a New function does to its test.
type fakeTB struct{ skipped, failed, logged string }

func (f *fakeTB) Helper()                     {}
func (f *fakeTB) Cleanup(func())              {}
func (f *fakeTB) Logf(s string, args ...any)  { f.logged = fmt.Sprintf(s, args...) }
func (f *fakeTB) Skipf(s string, args ...any) { f.skipped = fmt.Sprintf(s, args...); panic(f) }
func (f *fakeTB) Fatalf(s string, args ...any) {
	f.failed = fmt.Sprintf(s, args...)
	panic(f)
}

func TestMissingContractsSkipOrFail(t *testing.T) {
	missing := fmt.Errorf("%w (here)", ErrNoContracts)
	t.Setenv(requireEnv, "")
	tb := new(fakeTB)
	require.Panics(t, func() { checkStart(tb, missing) })
	require.Equal(t, missing.Error(), tb.skipped)

	t.Setenv(requireEnv, "1")
	tb = new(fakeTB)
	require.Panics(t, func() { checkStart(tb, missing) })
	require.Equal(t, missing.Error(), tb.failed)
}

// The file for another node has the chain's accounts, and no null where Anvil wants a number.
func TestGenesisJSON(t *testing.T) {
	text, err := GenesisJSON(ChainConfig{ChainID: 31337})
	checkStart(t, err)
	var genesis core.Genesis
	require.NoError(t, json.Unmarshal(text, &genesis))
	require.EqualValues(t, 31337, genesis.Config.ChainID.Uint64())
	require.False(t, bytes.Contains(text, []byte(`"difficulty":null`)))
	for _, address := range []common.Address{WellKnownContracts().EntryPoint, WellKnownContracts().NFT} {
		require.NotEmpty(t, genesis.Alloc[address].Code)
	}
	require.Equal(t, ether(1_000_000_000), genesis.Alloc[Address("faucet")].Balance)
}
