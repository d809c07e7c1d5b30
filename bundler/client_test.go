package bundler_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// A wrong chain that was told in passing, by a gateway that mixes answers up, is not kept.
func TestChainIDIsAskedForEachTime(t *testing.T) {
	client, _ := play(t, "chain_id_in_passing.jsonl")
	for _, want := range []uint64{chainID + 1, chainID} {
		id, err := client.ChainID(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, id)
	}
}

func TestChainIDForms(t *testing.T) {
	server := jsonrpctest.Play(t, "testdata/chain_id_forms.jsonl")
	for range 2 {
		client := bundler.New(server.URL)
		id, err := client.ChainID(t.Context())
		client.Close()
		require.NoError(t, err)
		require.EqualValues(t, chainID, id)
	}
}

func TestChainIDWrong(t *testing.T) {
	client, server := play(t, "chain_id_wrong.jsonl")
	for _, want := range []string{
		"bundler: eth_chainId: 0x0 is no chain ID",
		"bundler: eth_chainId: 0x10000000000000000 is no chain ID",
		"bundler " + server.URL + `/…: eth_chainId: unexpected result: "1.5" is not an exact non-negative integer (0x-hex or decimal digits): "1.5"`,
		"bundler " + server.URL + "/…: eth_chainId: the answer is null",
	} {
		_, err := client.ChainID(t.Context())
		require.EqualError(t, err, want)
	}
}

func TestSupportedEntryPoints(t *testing.T) {
	client, _ := play(t, "supported_entry_points.jsonl")
	got, err := client.SupportedEntryPoints(t.Context())
	require.NoError(t, err)
	require.Equal(t, []common.Address{entryPoint, common.HexToAddress("0x0000000071727De22E5E9d8BAf0edAc6f37da032")}, got)
	got, err = client.SupportedEntryPoints(t.Context())
	require.NoError(t, err)
	require.Empty(t, got)
}

// Fault 13 of the TypeScript SDK: the bundler's URL has to match one vendor's pattern, and the chain ID is
// taken from there.
func TestFault13AnyURLIsFineAndTheChainIsAskedFor(t *testing.T) {
	server := jsonrpctest.Play(t, "testdata/chain_id.jsonl")
	client := bundler.New(server.URL + "/rpc?apikey=k-123456&chain=1")
	defer client.Close()
	id, err := client.ChainID(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, chainID, id)
}

func TestNewNeverFails(t *testing.T) {
	client := bundler.New("bundler.example/api/v2/80002/k-123456")
	_, err := client.ChainID(t.Context())
	require.EqualError(t, err, "bundler (invalid URL): eth_chainId: the service URL has to start with http:// or https://")
	var transport *bundler.TransportError
	require.ErrorAs(t, err, &transport)
}

func TestANilOptionIsTheErrorOfEveryCall(t *testing.T) {
	client := bundler.New("https://bundler.example/api/v2/80002/k-123456", bundler.WithSpeed(bundler.Fast), nil)
	_, err := client.ChainID(t.Context())
	require.EqualError(t, err, "bundler https://bundler.example/…: eth_chainId: an option is nil; leave it out instead")
	_, err = client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.ErrorContains(t, err, "an option is nil")
	require.False(t, userop.SafeToRetry(err))
}

func TestBiconomyURL(t *testing.T) {
	require.Equal(t, "https://bundler.biconomy.io/api/v2/80002/nJPK.dd7f-41", bundler.BiconomyURL(80002, "nJPK.dd7f-41"))
	require.Equal(t, "https://bundler.biconomy.io/api/v2/1/a%2Fb", bundler.BiconomyURL(1, "a/b"))
}

func TestNothingPrintedShowsTheKey(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	body := "no access to /api/v2/80002/k-123456"
	server := jsonrpctest.Serve(t,
		jsonrpctest.Exchange{Method: "eth_chainId", Status: http.StatusForbidden, Body: &body},
		jsonrpctest.Exchange{Method: "eth_chainId", Error: json.RawMessage(`{"code":-32000,"message":"bad key k-123456","data":"k-123456"}`)},
	)
	client := bundler.New(server.URL+"/api/v2/80002/k-123456", bundler.WithLogger(logger))
	defer client.Close()
	things := []any{client, struct{ Bundler *bundler.Client }{client}}
	for range 2 {
		_, err := client.ChainID(t.Context())
		require.Error(t, err)
		things = append(things, err)
		logger.Error("failed", "error", err, "client", client)
	}
	text := log.String()
	for _, thing := range things {
		asJSON, err := json.Marshal(thing)
		require.NoError(t, err)
		text += fmt.Sprintf("%v %+v %#v %s\n", thing, thing, thing, asJSON)
	}
	require.NotContains(t, text, "k-123456")
	require.Contains(t, text, "bundler "+server.URL+"/…")
	require.Contains(t, text, `"method":"eth_chainId"`)
}
