package jsonrpc_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

func TestPassing(t *testing.T) {
	for message, passing := range map[string]bool{
		"header not found":                    true,
		"block not found":                     true,
		"header for hash not found":           true,
		"unknown block":                       true,
		"missing trie node 0x12 (path )":      true,
		"transaction indexing is in progress": true,
		"request timed out":                   true,
		"Timeout of 5000ms exceeded":          true,
		"context deadline exceeded":           true,
		"read tcp: connection reset by peer":  true,
		"connect ECONNREFUSED 10.0.0.7:8545":  true,
		"502 Bad Gateway":                     true,
		"Service Unavailable":                 true,
		"please try again later":              true,
		"not found":                           false,
		"user operation not found":            false,
		"Method not found":                    false,
		"AA25 invalid account nonce":          false,
		"something":                           false,
	} {
		for _, code := range []int{0, -32000, -32601, -32603} {
			require.Equal(t, passing, jsonrpc.Passing(code, message), "%d %s", code, message)
		}
		require.False(t, jsonrpc.Passing(-32500, message), "a verdict is one whatever its words: %s", message)
	}
}

func TestRateLimited(t *testing.T) {
	for _, c := range []struct {
		code, status int
		message      string
		limited      bool
	}{
		{-32005, 200, "limit exceeded", true},
		{-32005, 200, "", true},
		{-32000, 429, "", true},
		{-32007, 200, "50/second request limit reached - reduce calls per second", true}, // QuickNode
		{-32000, 200, "Too Many Requests", true},
		{-32097, 200, "Your app has exceeded its compute units per second capacity", true}, // Alchemy
		{-32090, 200, "rate limit exceeded", true},
		{-32005, 200, "Unable to process userOp with UserOpHash: 0x10b6 on chainId: 80002", false}, // Biconomy
		{-32007, 200, "maxFeePerGas is too low", false},
		{-32000, 200, "exceeds block gas limit", false},
		{-32504, 200, "throttled: rate limited", false},
	} {
		require.Equal(t, c.limited, jsonrpc.RateLimited(c.code, c.status, c.message), "%+v", c)
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	for _, value := range []string{"99999999", "Wed, 21 Oct 2099 07:28:00 GMT"} {
		client, _ := scriptedClient(scripted{status: 503, header: map[string][]string{"Retry-After": {value}}})
		var failed *jsonrpc.TransportError
		require.ErrorAs(t, read(t.Context(), client, new(string), "m"), &failed)
		require.Equal(t, time.Hour, failed.RetryDelay())
	}
}

func TestRetriedErrorHoldsBoth(t *testing.T) {
	first, last := errors.New("first"), &jsonrpc.Error{Service: "bundler", Method: "m", Code: -32005, Message: "last"}
	err := fmt.Errorf("wrapped: %w", &jsonrpc.RetriedError{Last: last, First: first})
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, last)
	require.EqualError(t, err, "wrapped: bundler: m: last (code -32005) (tried again after: first)")
}
