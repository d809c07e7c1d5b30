package jsonrpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
)

func newClient(t *testing.T, cfg jsonrpc.Config) *jsonrpc.Client {
	t.Helper()
	cfg.Service = "bundler"
	c := jsonrpc.New(cfg)
	t.Cleanup(c.Close)
	return c
}

func TestAnswers(t *testing.T) {
	server := jsonrpctest.Play(t, "testdata/answers.jsonl")
	c := newClient(t, jsonrpc.Config{URL: server.URL})
	var result string
	require.NoError(t, call(t.Context(), c, &result, "plain", "0x1", 2))
	require.Equal(t, "0x13882", result)
	for _, method := range []string{"no_version", "lenient", "created", "foreign", "foreign_zero", "id_of_null", "no_id"} {
		require.NoError(t, call(t.Context(), c, &result, method), method)
		require.Equal(t, "0x1", result, method)
	}
}

// A JSON-RPC error is an error under whatever HTTP status it comes.
func TestErrorAnswers(t *testing.T) {
	server := jsonrpctest.Play(t, "testdata/errors.jsonl")
	c := newClient(t, jsonrpc.Config{URL: server.URL})
	for _, want := range []jsonrpc.Error{
		{Method: "under_200", Code: -32500, Message: "AA25 invalid account nonce", Data: json.RawMessage(`{"opIndex":0}`), HTTPStatus: 200},
		{Method: "under_400", Code: -32602, Message: "bad params", HTTPStatus: 400},
		{Method: "under_500", Message: "internal", HTTPStatus: 500},
		{Method: "rate_limited", Code: -32005, Message: "too many requests", HTTPStatus: 429, RetryAfter: 7e9},
		{Method: "code_in_a_string", Code: -32501, Message: "paymaster", HTTPStatus: 200},
		{Method: "bare_string", Message: "out of order", HTTPStatus: 200},
		{Method: "no_message", Code: 417, Message: `no message: {"code":417}`, HTTPStatus: 200},
		{Method: "id_of_null", Code: -32700, Message: "cannot parse", HTTPStatus: 200},
		{Method: "foreign_error", Code: 1, Message: "under an id of its own", HTTPStatus: 200},
		{Method: "both", Code: 1, Message: "wins", HTTPStatus: 200},
		{Method: "control", Code: 1, Message: "two lines  [31m", HTTPStatus: 200},
	} {
		want.Service, want.Endpoint = "bundler", server.URL
		err := call(t.Context(), c, new(string), want.Method)
		var got *jsonrpc.Error
		require.ErrorAs(t, err, &got, want.Method)
		require.Equal(t, want, *got)
		require.Equal(t, want.Method == "rate_limited", got.Temporary(), want.Method)
	}
	err := &jsonrpc.Error{Service: "bundler", Method: "eth_chainId", Code: -32601, Message: "no such method"}
	require.EqualError(t, err, "bundler: eth_chainId: no such method (code -32601)")
}

func TestUnusableAnswers(t *testing.T) {
	server := jsonrpctest.Play(t, "testdata/faults.jsonl")
	c := newClient(t, jsonrpc.Config{URL: server.URL + "/api/v2/80002/k-123456"})
	for _, want := range []struct {
		method, text string
		temporary    bool
		delivered    bool
	}{
		{"html", `: the answer is not JSON-RPC; is this the service's URL?: "<html> <body>Welcome</body></html>"`, true, true},
		{"html_503", `: HTTP 503 Service Unavailable: "<h1>Service Unavailable</h1>"`, true, true},
		{"gateway", `: HTTP 401 Unauthorized: "{\"message\":\"Unauthorized\"}"; check the key in the service's URL`, false, false},
		{"no_path", `: HTTP 404 Not Found: "not found"; check the path of the service's URL`, false, false},
		{"empty", `: the answer is empty`, true, true},
		{"empty_502", `: HTTP 502 Bad Gateway`, true, true},
		{"batch", `: the answer is a batch, one answer was expected: "[{\"jsonrpc\":\"2.0\",\"id\":`, true, true},
		{"batch_of_none", `: the answer is a batch, one answer was expected: "[]"`, true, true},
		{"number", `: the answer is not JSON-RPC; is this the service's URL?: "7"`, true, true},
		{"cut", `: the answer is not JSON-RPC; is this the service's URL?: "{\"jsonrpc\":\"2.0\",\"id\":`, true, true},
		{"neither", `: the answer has neither a result nor an error; is this the service's URL?: "{\"jsonrpc\":\"2.0\",\"id\":`, true, true},
		{"null", `: the answer is null`, true, true},
		{"wrong_type", `: unexpected result: json: cannot unmarshal object into Go value of type string: "{\"hash\":\"0x1\"}"`, true, true},
		{"moved", `: HTTP 307 Temporary Redirect: redirects are not followed; use the final URL (it points to https://elsewhere.example/…)`, false, false},
		{"result_in_500", `: HTTP 500 Internal Server Error: "{\"jsonrpc\":\"2.0\",\"id\":`, true, true},
		{"cdn_522", `: HTTP 522: "error code: 522"`, true, true},
		{"html_500", `: HTTP 500 Internal Server Error: "<h1>Internal Server Error</h1>"`, true, true},
		{"slow_408", `: HTTP 408 Request Timeout`, true, true},
		{"not_implemented", `: HTTP 501 Not Implemented`, false, true},
	} {
		err := call(t.Context(), c, new(string), want.method)
		var got *jsonrpc.TransportError
		require.ErrorAs(t, err, &got, want.method)
		require.Equal(t, want.method, got.Method)
		require.Contains(t, err.Error(), "bundler "+server.URL+"/…: "+want.method+want.text)
		require.NotContains(t, err.Error(), "k-123456")
		require.Equal(t, want.temporary, got.Temporary(), want.method)
		require.Equal(t, want.delivered, got.MayBeDelivered(), want.method)
		require.Equal(t, want.method == "null", errors.Is(err, jsonrpc.ErrNull))
		if want.method == "html_503" {
			require.Equal(t, 503, got.HTTPStatus)
			require.EqualValues(t, 2e9, got.RetryAfter)
		}
	}
}

// One request has one answer, also where a service wraps it up as the only one of a batch.
func TestABatchOfOne(t *testing.T) {
	c := newClient(t, jsonrpc.Config{URL: jsonrpctest.Play(t, "testdata/batch.jsonl").URL})
	var result string
	require.NoError(t, call(t.Context(), c, &result, "batch_of_one"))
	require.Equal(t, "0x1", result)
	var refused *jsonrpc.Error
	require.ErrorAs(t, call(t.Context(), c, &result, "batch_refused"), &refused)
	require.Equal(t, -32500, refused.Code)
}

func TestAnswersAreBounded(t *testing.T) {
	long := `{"jsonrpc":"2.0","id":$ID,"result":"0123456789012345678901234567890123456789"}`
	server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "long", Body: &long})
	c := newClient(t, jsonrpc.Config{URL: server.URL, MaxResponse: 50})
	err := call(t.Context(), c, new(string), "long")
	require.ErrorContains(t, err, "bundler "+server.URL+": long: the answer is longer than 50 bytes: ")
}

func TestWordsOfAServiceAreBounded(t *testing.T) {
	long := strings.Repeat("é 0xdeadbeef ", 100_000)
	for _, member := range []string{`{"code":-32500,"message":"` + long + `"}`, `"` + long + `"`} {
		server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "m", Error: json.RawMessage(member)})
		c := newClient(t, jsonrpc.Config{URL: server.URL})
		var got *jsonrpc.Error
		require.ErrorAs(t, call(t.Context(), c, new(string), "m"), &got)
		require.LessOrEqual(t, len(got.Message), 32<<10)
		require.Regexp(t, "^é 0xdeadbeef .*…$", got.Message)
	}
}

func TestBodyStartIsShort(t *testing.T) {
	body := ""
	for range 200 {
		body += "é\x00\n "
	}
	server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "m", Status: 500, Body: &body})
	c := newClient(t, jsonrpc.Config{URL: server.URL})
	var got *jsonrpc.TransportError
	require.ErrorAs(t, call(t.Context(), c, new(string), "m"), &got)
	require.LessOrEqual(t, len(got.BodyStart), 256)
	require.Regexp(t, `^(é )+é? ?…$`, got.BodyStart)
}

func TestConnectionLost(t *testing.T) {
	server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "eth_sendUserOperation", Drop: true})
	c := newClient(t, jsonrpc.Config{URL: server.URL})
	err := call(t.Context(), c, new(string), "eth_sendUserOperation")
	var got *jsonrpc.TransportError
	require.ErrorAs(t, err, &got)
	require.EqualError(t, err, "bundler "+server.URL+": eth_sendUserOperation: EOF")
	require.True(t, got.Temporary())
	require.True(t, got.MayBeDelivered(), "the request was written")
	require.Equal(t, []string{"eth_sendUserOperation"}, server.Methods(), "it was sent once")
}

func TestConnectionRefused(t *testing.T) {
	url := closedPort(t)
	c := newClient(t, jsonrpc.Config{URL: url + "/api/v2/80002/k-123456"})
	err := call(t.Context(), c, new(string), "eth_sendUserOperation")
	var got *jsonrpc.TransportError
	require.ErrorAs(t, err, &got)
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "k-123456")
	require.True(t, got.Temporary())
	require.False(t, got.MayBeDelivered(), "there was nobody to deliver it to")
}

func TestUnusableURLs(t *testing.T) {
	for url, want := range map[string]string{
		"":                            "no service URL is set; see where it is to come from, such as a variable of the environment",
		" \n":                         "no service URL is set; see where it is to come from, such as a variable of the environment",
		"bundler.example/api/k-123":   "the service URL has to start with http:// or https://",
		"ftp://bundler.example/k-123": "the service URL has to start with http:// or https://",
		"https:///k-123":              "the service URL has no host",
		"https://host:k-123/":         "the service URL cannot be parsed; it has to look like https://host/path",
		"https://host/%zz/k-123":      "the service URL cannot be parsed; it has to look like https://host/path",
		"https://user:k-123@ho st/":   "the service URL cannot be parsed; it has to look like https://host/path",
	} {
		c := newClient(t, jsonrpc.Config{URL: url})
		err := call(t.Context(), c, new(string), "eth_chainId")
		require.EqualError(t, err, "bundler (invalid URL): eth_chainId: "+want, url)
		var got *jsonrpc.TransportError
		require.ErrorAs(t, err, &got)
		require.False(t, got.Temporary())
		require.False(t, got.MayBeDelivered())
		require.Equal(t, "bundler (invalid URL)", c.String())
	}
}

func TestParametersThatCannotBeEncoded(t *testing.T) {
	c := newClient(t, jsonrpc.Config{URL: "http://127.0.0.1:1"})
	err := call(t.Context(), c, new(string), "m", make(chan int))
	require.EqualError(t, err, "bundler http://127.0.0.1:1: m: encode the parameters: json: unsupported type: chan int")
	var got *jsonrpc.TransportError
	require.ErrorAs(t, err, &got)
	require.False(t, got.MayBeDelivered())
}

func TestRedirectsAreNotFollowedByACallersClient(t *testing.T) {
	body := ""
	server := jsonrpctest.Serve(t, jsonrpctest.Exchange{Method: "m", Status: 308, Header: map[string]string{"Location": "/elsewhere"}, Body: &body})
	own := &http.Client{Transport: &http.Transport{}}
	defer own.CloseIdleConnections()
	c := newClient(t, jsonrpc.Config{URL: server.URL, HTTPClient: own})
	require.ErrorContains(t, call(t.Context(), c, new(string), "m"), "redirects are not followed")
	require.Nil(t, own.CheckRedirect, "the caller's client is left alone")
	require.Len(t, server.Methods(), 1)
}

func TestCanceledIsNotTemporary(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	c := newClient(t, jsonrpc.Config{URL: "http://127.0.0.1:1"})
	err := read(ctx, c, new(string), "m")
	require.EqualError(t, err, "bundler http://127.0.0.1:1: m: context canceled: shutting down")
	require.ErrorIs(t, err, context.Canceled)
	var got *jsonrpc.TransportError
	require.ErrorAs(t, err, &got)
	require.False(t, got.Temporary())
	require.False(t, got.MayBeDelivered())
}

// Fault 15 of the TypeScript SDK: IDs are seconds.
func TestFault15RequestIDsAreRandom(t *testing.T) {
	seen := map[uint64]bool{}
	c := newClient(t, jsonrpc.Config{URL: "http://service.example", HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		var request struct{ ID uint64 }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			return nil, err
		}
		seen[request.ID] = true
		if request.ID >= 1<<53 {
			return nil, fmt.Errorf("ID %d is no exact float64", request.ID)
		}
		return reply(200, fmt.Sprintf(`{"id":%d,"result":"0x1"}`, request.ID)), nil
	})}})
	for range 100 {
		require.NoError(t, call(t.Context(), c, new(string), "m"))
	}
	require.Len(t, seen, 100)
}
