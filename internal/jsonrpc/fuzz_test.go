package jsonrpc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// Whatever a service answers, the outcome is a result, an Error or a TransportError, and no text of it is
// long, breaks a line or shows the key.
func FuzzAnswer(f *testing.F) {
	for _, file := range []string{"testdata/answers.jsonl", "testdata/errors.jsonl", "testdata/faults.jsonl"} {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		for line := range bytes.Lines(data) {
			f.Add(200, line)
			f.Add(503, line)
		}
	}
	f.Add(200, []byte(`{"error":{"message":"k-1234567890"}}`))
	f.Add(200, []byte(`{"error":{"data":{"k-1234567890":[1]}}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 599 {
			return
		}
		c := jsonrpc.New(jsonrpc.Config{URL: "https://host.example/api/v2/1/k-1234567890", Service: "bundler", HTTPClient: &http.Client{
			Transport: roundTripper(func(*http.Request) (*http.Response, error) { return reply(status, string(body)), nil }),
		}})
		err := call(t.Context(), c, new(json.RawMessage), "m")
		if err == nil {
			return
		}
		require.NotContains(t, err.Error(), "k-1234567890")
		require.Negative(t, bytes.IndexFunc([]byte(err.Error()), unicode.IsControl))
		var transport *jsonrpc.TransportError
		var answer *jsonrpc.Error
		switch {
		case errors.As(err, &transport):
			require.LessOrEqual(t, len(transport.BodyStart), 256)
			require.True(t, utf8.ValidString(transport.BodyStart))
		case errors.As(err, &answer):
			require.True(t, answer.Data == nil || json.Valid(answer.Data))
			require.NotContains(t, string(answer.Data), "k-1234567890")
		default:
			t.Fatalf("unexpected error %T", err)
		}
	})
}

// Whatever a service answers to a batch, each request has a result, an Error or a TransportError, or the
// batch fails as a whole. $0 and $1 are the requests' IDs.
func FuzzBatch(f *testing.F) {
	for _, body := range []string{
		`[{"id":$1,"result":1},{"id":$0,"result":0}]`,
		`[{"id":"$0","result":0},{"id":$1,"error":{"code":-32000,"message":"k-1234567890"}}]`,
		`[{"id":$0,"result":null},{"id":$0,"result":2},{"id":7,"result":3}]`,
		`[{"id":null,"error":{"code":-32600,"message":"no batches"}}]`,
		`{"id":null,"error":{"code":-32602,"message":"Expected object, received array"}}`,
		`[]`, `[null]`, `[1,2]`, `{"result":5}`, ``, `<html>`,
	} {
		f.Add(200, []byte(body))
		f.Add(400, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 599 {
			return
		}
		c := jsonrpc.New(jsonrpc.Config{URL: "https://host.example/api/v2/1/k-1234567890", Service: "bundler", HTTPClient: &http.Client{
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				var requests []struct{ ID json.Number }
				require.NoError(t, json.NewDecoder(r.Body).Decode(&requests))
				require.Len(t, requests, 2)
				answer := strings.NewReplacer("$0", requests[0].ID.String(), "$1", requests[1].ID.String()).Replace(string(body))
				return reply(status, answer), nil
			}),
		}})
		results := make([]json.RawMessage, 2)
		failures, err := c.DoAll(t.Context(), []jsonrpc.Request{{Method: "m", Result: &results[0]}, {Method: "m", Result: &results[1]}})
		if err == nil {
			require.Len(t, failures, 2)
		} else {
			require.Nil(t, failures)
		}
		for i, failed := range append(failures, err) {
			if failed == nil {
				require.True(t, i >= 2 || json.Valid(results[i]))
				continue
			}
			require.NotContains(t, failed.Error(), "k-1234567890")
			require.Negative(t, bytes.IndexFunc([]byte(failed.Error()), unicode.IsControl))
			var transport *jsonrpc.TransportError
			var answer *jsonrpc.Error
			require.True(t, errors.As(failed, &transport) || errors.As(failed, &answer), "%T", failed)
		}
	})
}

func BenchmarkCall(b *testing.B) {
	c := jsonrpc.New(jsonrpc.Config{URL: "https://host.example/api/v2/1/k-1234567890", HTTPClient: &http.Client{Transport: &script{steps: []any{fine}}}})
	var result string
	for b.Loop() {
		if err := call(b.Context(), c, &result, "eth_chainId"); err != nil {
			b.Fatal(err)
		}
	}
}
