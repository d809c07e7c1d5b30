package bundler_test

import (
	"net/http"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
)

func TestStatusOfEachVendor(t *testing.T) {
	for file, want := range map[string][]bundler.Status{
		"status_biconomy.jsonl": {
			{State: bundler.Pending, Raw: "BUNDLER_MEMPOOL"},
			{State: bundler.Submitted, Raw: "SUBMITTED", TransactionHash: txHash},
			{State: bundler.Included, Raw: "CONFIRMED", TransactionHash: txHash},
			{State: bundler.Dropped, Raw: "DROPPED_FROM_BUNDLER_MEMPOOL"},
			{State: bundler.Unknown, Raw: "SOMETHING_NEW"},
			{State: bundler.Unknown, Raw: "null"},
		},
		"status_pimlico.jsonl": {
			{State: bundler.Unknown, Raw: "not_found"},
			{State: bundler.Pending, Raw: "not_submitted"},
			{State: bundler.Pending, Raw: "queued"},
			{State: bundler.Submitted, Raw: "submitted", TransactionHash: txHash},
			{State: bundler.Included, Raw: "included", TransactionHash: txHash},
			{State: bundler.Dropped, Raw: "rejected"},
			{State: bundler.Reverted, Raw: "failed", TransactionHash: txHash},
			{State: bundler.Reverted, Raw: "reverted", TransactionHash: txHash},
		},
	} {
		client, _ := play(t, file)
		for _, status := range want {
			got, err := client.UserOperationStatus(t.Context(), opHash)
			require.NoError(t, err)
			require.Equal(t, status, got)
		}
	}
}

func TestDropped(t *testing.T) {
	for file, want := range map[string][]bool{
		"status_biconomy.jsonl": {false, false, false, true, false, false},
		"status_pimlico.jsonl":  {false, false, false, false, false, true, true, true},
		"status_none.jsonl":     {false, false},
	} {
		client, _ := play(t, file)
		for i, dropped := range want {
			got, err := client.UserOperationDropped(t.Context(), opHash)
			require.NoError(t, err)
			require.Equal(t, dropped, got, "%s, answer %d", file, i)
		}
	}
}

func TestStatusNotOffered(t *testing.T) {
	client, _ := play(t, "status_none.jsonl")
	for range 2 {
		status, err := client.UserOperationStatus(t.Context(), opHash)
		require.ErrorIs(t, err, bundler.ErrNoStatus)
		require.EqualError(t, err, "no operation status offered: the bundler has neither Biconomy's nor Pimlico's method for it")
		require.Equal(t, common.Hash{}, status.TransactionHash)
	}
}

func TestStates(t *testing.T) {
	for state, name := range map[bundler.State]string{
		bundler.Unknown: "unknown", bundler.Pending: "pending", bundler.Submitted: "submitted",
		bundler.Included: "included", bundler.Dropped: "dropped", bundler.Reverted: "reverted", 9: "state 9", -1: "state -1",
	} {
		require.Equal(t, name, state.String())
	}
	require.False(t, bundler.Submitted.Final())
	require.True(t, bundler.Included.Final())
	require.True(t, bundler.Dropped.Final())
}

// An operation is lost where the bundler says that it does not know it, not where nothing is known of that.
func TestUserOperationLost(t *testing.T) {
	for answer, want := range map[string]bool{
		`"result":{"status":"not_found","transactionHash":null}`: true,
		`"result":null`: true,
		`"error":{"code":-32000,"message":"UserOpHash: 0x10b6 not found for chainId: 80002"}`: true,
		`"result":{"status":"not_submitted","transactionHash":null}`:                          false,
		`"result":{"status":"something new","transactionHash":null}`:                          false,
		`"result":{"status":"rejected","transactionHash":null}`:                               false,
		`"error":{"code":-32601,"message":"Method not found"}`:                                false,
	} {
		client := bundler.New(answering(t, func([]byte) (int, string) {
			return http.StatusOK, `{"jsonrpc":"2.0","id":1,` + answer + `}`
		}), bundler.WithVendor(bundler.Pimlico))
		defer client.Close()
		lost, err := client.UserOperationLost(t.Context(), common.Hash{1})
		require.NoError(t, err, answer)
		require.Equal(t, want, lost, answer)
	}
}
