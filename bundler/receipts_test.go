package bundler_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// answering is the URL of a service that answers each request as said.
func answering(t *testing.T, answer func(request []byte) (status int, body string)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, _ := io.ReadAll(r.Body)
		status, body := answer(request)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const receiptOf = `{"userOpHash":"%s","sender":"0x1111111111111111111111111111111111111111","success":true,"receipt":{"transactionHash":"%[1]s","blockNumber":"0x7"}}`

// The answers of a batch come in any order, and each is one of its own.
func TestReceiptsInABatch(t *testing.T) {
	hashes := []common.Hash{{1}, {2}, {3}, {4}, {5}, {6}}
	client := bundler.New(answering(t, func(request []byte) (int, string) {
		var batch []struct {
			ID     uint64        `json:"id"`
			Method string        `json:"method"`
			Params []common.Hash `json:"params"`
		}
		require.NoError(t, json.Unmarshal(request, &batch))
		var answers []string
		for i, r := range batch {
			require.Equal(t, "eth_getUserOperationReceipt", r.Method)
			answer := []string{
				`"result":` + fmt.Sprintf(receiptOf, r.Params[0]),
				`"result":null`,
				`"error":{"code":-32000,"message":"too many requests"}`,
				`"result":` + fmt.Sprintf(receiptOf, common.Hash{9}),
				`"result":17`,
			}
			if i < len(answer) {
				answers = append(answers, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,%s}`, r.ID, answer[i]))
			}
		}
		slices.Reverse(answers)
		return http.StatusOK, "[" + strings.Join(answers, ",") + `,{"id":5,"result":null}]`
	}))
	defer client.Close()
	answers, err := client.UserOperationReceipts(t.Context(), hashes)
	require.NoError(t, err)
	require.Len(t, answers, len(hashes))
	require.NoError(t, answers[0].Err)
	require.Equal(t, hashes[0], answers[0].Receipt.UserOpHash)
	require.EqualValues(t, 7, answers[0].Receipt.BlockNumber)
	require.ErrorIs(t, answers[1].Err, userop.ErrNotFound)
	require.ErrorIs(t, answers[2].Err, bundler.ErrRateLimited)
	require.ErrorContains(t, answers[3].Err, "it gave that of 0x09")
	require.ErrorContains(t, answers[4].Err, "unexpected result")
	require.ErrorContains(t, answers[5].Err, "the answer to the batch does not answer it")
	for _, answer := range answers[1:] {
		require.Nil(t, answer.Receipt)
	}
}

// A bundler that takes no batches says so in its own way, once.
func TestABundlerThatTakesNoBatches(t *testing.T) {
	for name, tt := range map[string]struct {
		status  int
		body    string
		refused bool
	}{
		"Alto":                    {200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"invalid JSON-RPC request Expected object, received array"}}`, true},
		"under 400":               {400, `{"error":{"code":-32600,"message":"invalid request"}}`, true},
		"a page":                  {400, `<html>bad request</html>`, true},
		"one answer":              {200, `{"jsonrpc":"2.0","id":1,"result":null}`, true},
		"one error in an array":   {200, `[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches are not supported"}}]`, true},
		"that is down":            {503, `down`, false},
		"that is busy":            {429, `{"error":{"code":-32005,"message":"too many requests"}}`, false},
		"that has trouble":        {500, ``, false},
		"that answers nothing":    {200, ``, false},
		"that does not know me":   {403, `forbidden`, false},
		"that moved":              {302, ``, false},
		"that answers in garbage": {200, `[{"id":`, false},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			client := bundler.New(answering(t, func([]byte) (int, string) { requests++; return tt.status, tt.body }))
			defer client.Close()
			for range 2 {
				answers, err := client.UserOperationReceipts(t.Context(), []common.Hash{{1}, {2}})
				require.Error(t, err)
				require.Nil(t, answers)
				require.Equal(t, tt.refused, strings.Contains(err.Error(), userop.ErrNoBatch.Error()))
				if tt.refused {
					require.ErrorIs(t, err, userop.ErrNoBatch)
				}
			}
			if tt.refused {
				require.Equal(t, 1, requests, "it is remembered")
			} else {
				require.Equal(t, 2, requests)
			}
		})
	}
}
