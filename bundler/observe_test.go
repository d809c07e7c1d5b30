package bundler_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/testutil/telemetry"
	"github.com/go-sesame/sesame/userop"
)

// Requests are told of by the semantic conventions for RPC clients: a span and a duration for each call, with
// its tries, and of the URL the host and the port alone.
func TestObserveRequests(t *testing.T) {
	server := bundlertest.NewServer(t, bundlertest.Config{})
	server.On("eth_chainId", bundlertest.Status(503, "a moment"), bundlertest.Result("0x1"))
	server.On("eth_sendUserOperation", bundlertest.Fail(-32500, "AA25 invalid account nonce"))
	server.On("eth_getUserOperationReceipt", bundlertest.Result(nil))
	at, err := url.Parse(server.URL())
	require.NoError(t, err)
	var log bytes.Buffer
	spans, meters := new(telemetry.Spans), new(telemetry.Meters)
	client := bundler.New("http://user-4711:word-4711@"+at.Host+"/v2/137/key-4711?token=query-4711",
		bundler.WithTracerProvider(spans), bundler.WithMeterProvider(meters),
		bundler.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	defer client.Close()

	_, err = client.ChainID(t.Context())
	require.NoError(t, err)
	_, refused := client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.Error(t, refused)
	_, err = client.UserOperationReceipt(t.Context(), [32]byte{1})
	require.ErrorIs(t, err, userop.ErrNotFound)
	_, err = client.UserOperationReceipts(t.Context(), []common.Hash{{1}, {2}})
	require.ErrorIs(t, err, userop.ErrNoBatch)

	chainID := spans.Named("eth_chainId")
	require.Len(t, chainID, 1, "with its tries")
	require.Equal(t, trace.SpanKindClient, chainID[0].Kind)
	require.NotEmpty(t, chainID[0].Attrs["jsonrpc.request.id"])
	delete(chainID[0].Attrs, "jsonrpc.request.id")
	require.Equal(t, map[string]string{
		"rpc.system.name": "jsonrpc", "rpc.method": "eth_chainId", "jsonrpc.protocol.version": "2.0",
		"server.address": at.Hostname(), "server.port": at.Port(),
	}, chainID[0].Attrs)
	require.Len(t, chainID[0].Events, 1)
	require.Contains(t, chainID[0].Events[0], "HTTP 503")
	require.Equal(t, codes.Unset, chainID[0].Status)

	send := spans.Named("eth_sendUserOperation")[0]
	require.Equal(t, []string{"-32500", "-32500"}, []string{send.Attrs["rpc.response.status_code"], send.Attrs["error.type"]})
	require.Equal(t, codes.Error, send.Status)
	require.Equal(t, codes.Unset, spans.Named("eth_getUserOperationReceipt")[0].Status, "there is none yet: no failure")
	batch := spans.Named("eth_getUserOperationReceipt")[1]
	require.Equal(t, []string{"2", "400"}, []string{batch.Attrs["sesame.rpc.requests"], batch.Attrs["error.type"]})
	require.Contains(t, log.String(), `msg="JSON-RPC batch" service=bundler method=eth_getUserOperationReceipt requests=2`)

	require.Equal(t, map[string]string{"rpc.client.call.duration": "s"}, meters.Units())
	require.Positive(t, meters.Sum("rpc.client.call.duration", "rpc.method=eth_sendUserOperation", "error.type=-32500", "server.port="+at.Port()))
	require.Equal(t, 4, strings.Count(log.String(), `msg="JSON-RPC request"`), "a line for each request")
	for _, secret := range []string{"4711", "/v2", fmt.Sprintf("%x", operation().Signature)} {
		require.NotContains(t, spans.String()+meters.String()+log.String(), secret)
	}
}

// What fails without an answer has a class, of which there are few.
func TestObserveFailures(t *testing.T) {
	for name, test := range map[string]struct {
		answer bundlertest.Answer
		class  string
	}{
		"a status":      {bundlertest.Status(403, "no"), "403"},
		"no JSON":       {bundlertest.Garbage(), "invalid_answer"},
		"a wrong shape": {bundlertest.Result("a word"), "invalid_answer"},
	} {
		t.Run(name, func(t *testing.T) {
			server := bundlertest.NewServer(t, bundlertest.Config{})
			server.On("eth_sendUserOperation", test.answer)
			meters := new(telemetry.Meters)
			client := bundler.New(server.URL(), bundler.WithMeterProvider(meters))
			defer client.Close()
			_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
			require.Error(t, err)
			require.Positive(t, meters.Sum("rpc.client.call.duration", "error.type="+test.class), meters.String())
		})
	}
}

// Codes that a service makes up are one class: of series there are few. The span has the code itself.
func TestObserveCodesThatAreMadeUp(t *testing.T) {
	server := bundlertest.NewServer(t, bundlertest.Config{})
	server.On("eth_sendUserOperation", bundlertest.Fail(-48151623, "no"))
	spans, meters := new(telemetry.Spans), new(telemetry.Meters)
	client := bundler.New(server.URL(), bundler.WithTracerProvider(spans), bundler.WithMeterProvider(meters))
	defer client.Close()
	_, err := client.SendUserOperation(t.Context(), operation(), entryPoint)
	require.Error(t, err)
	require.Positive(t, meters.Sum("rpc.client.call.duration", "error.type=_OTHER", "rpc.response.status_code=_OTHER"), meters.String())
	require.NotContains(t, meters.String(), "48151623")
	require.Equal(t, "-48151623", spans.Named("eth_sendUserOperation")[0].Attrs["rpc.response.status_code"])
}

type panickingTransport struct{}

func (panickingTransport) RoundTrip(*http.Request) (*http.Response, error) {
	panic("a fault of the transport's")
}

// A panic in the caller's transport leaves no span open.
func TestObserveATransportThatPanics(t *testing.T) {
	spans, meters := new(telemetry.Spans), new(telemetry.Meters)
	client := bundler.New("http://127.0.0.1:1", bundler.WithTracerProvider(spans), bundler.WithMeterProvider(meters),
		bundler.WithHTTPClient(&http.Client{Transport: panickingTransport{}}))
	require.Panics(t, func() { _, _ = client.SendUserOperation(t.Context(), operation(), entryPoint) })
	require.Panics(t, func() { _, _ = client.UserOperationReceipts(t.Context(), []common.Hash{{1}, {2}}) })
	require.Len(t, spans.All(), 2)
	for _, span := range spans.All() {
		require.True(t, span.Ended, span.Name)
		require.Equal(t, codes.Error, span.Status)
	}
}

// Where no provider is set, a pool puts nothing on a span that is the caller's own.
func TestObserveNothingOnTheCallersSpan(t *testing.T) {
	server := bundlertest.NewServer(t, bundlertest.Config{})
	client := bundler.New(server.URL())
	defer client.Close()
	pool, err := bundler.NewPool(bundler.PoolConfig{ChainID: 1, EntryPoint: entryPoint, Members: []bundler.Member{{Bundler: client}}})
	require.NoError(t, err)
	spans := new(telemetry.Spans)
	ctx, span := spans.Tracer("the caller's").Start(context.Background(), "a request of the caller's")
	_, _ = pool.SendUserOperation(ctx, operation(), entryPoint)
	span.End()
	require.Empty(t, spans.All()[0].Events)
}
