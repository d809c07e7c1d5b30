package jsonrpc_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// roundTripper is an http.RoundTripper without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// call sends a request once.
func call(ctx context.Context, c *jsonrpc.Client, result any, method string, params ...any) error {
	return c.Do(ctx, jsonrpc.Request{Method: method, Params: params, Result: result})
}

// read sends a request that may be repeated.
func read(ctx context.Context, c *jsonrpc.Client, result any, method string, params ...any) error {
	return c.Do(ctx, jsonrpc.Request{Method: method, Params: params, Result: result, Repeatable: true})
}

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// closedPort returns the URL of a port that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return "http://" + listener.Addr().String()
}
