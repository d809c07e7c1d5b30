package jsonrpc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
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

func BenchmarkCall(b *testing.B) {
	c := jsonrpc.New(jsonrpc.Config{URL: "https://host.example/api/v2/1/k-1234567890", HTTPClient: &http.Client{Transport: &script{steps: []any{fine}}}})
	var result string
	for b.Loop() {
		if err := call(b.Context(), c, &result, "eth_chainId"); err != nil {
			b.Fatal(err)
		}
	}
}
