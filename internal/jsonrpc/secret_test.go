package jsonrpc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// shapes of service URLs, with %s where the key is.
var urlShapes = map[string]string{
	"https://bundler.biconomy.io/api/v2/80002/%s":      "https://bundler.biconomy.io/…",
	"https://paymaster.biconomy.io/api/v1/80002/%s":    "https://paymaster.biconomy.io/…",
	"https://api.pimlico.io/v2/80002/rpc?apikey=%s":    "https://api.pimlico.io/…",
	"https://api.pimlico.io/v2/polygon-amoy/rpc?%s":    "https://api.pimlico.io/…",
	"https://host.example:8443/%s":                     "https://host.example:8443/…",
	"https://host.example/rpc/%s/":                     "https://host.example/…",
	"https://user:%s@host.example":                     "https://host.example",
	"https://%s@host.example/rpc":                      "https://host.example/…",
	"https://host.example/v1/bundler/%s?chain=1#%[1]s": "https://host.example/…",
	"  https://host.example/api/v2/80002/%s\n":         "https://host.example/…",
}

var keys = []string{
	"nJPK7B3ru.dd7f7861-190d-41bd-af80-6877f74b8f44",
	"1234567890abcdef",
	"k-12",
	"12345678", // a key of digits, after the chain ID
	"key%2Fwith%2Fslashes",
	"key%20with%20spaces",
}

func TestNoTextShowsTheKey(t *testing.T) {
	for shape, shown := range urlShapes {
		for _, key := range keys {
			afterChainID := strings.Contains(shape, "80002/%s") || strings.Contains(shape, "@")
			if key == "12345678" && !afterChainID {
				continue // indistinguishable from a chain ID
			}
			url := fmt.Sprintf(shape, key)
			t.Run(url, func(t *testing.T) { checkSecret(t, url, key, shown) })
		}
	}
}

// checkSecret lets a service and the network echo the URL in every way there is.
func checkSecret(t *testing.T, url, key, shown string) {
	plain := strings.NewReplacer("%2F", "/", "%20", " ").Replace(key)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	echo := func(r *http.Request) string {
		return fmt.Sprintf("no access to %s (%s) with %s or %s", r.URL, r.URL.Path, key, plain)
	}
	quoted := func(s string) string { return strings.Trim(fmt.Sprintf("%q", s), `"`) }
	trips := map[string]roundTripper{
		"network": func(r *http.Request) (*http.Response, error) { return nil, errors.New(echo(r)) },
		"body":    func(r *http.Request) (*http.Response, error) { return reply(403, echo(r)), nil },
		"long body": func(r *http.Request) (*http.Response, error) {
			return reply(200, strings.Repeat("x", 230)+echo(r)), nil
		},
		"error": func(r *http.Request) (*http.Response, error) {
			return reply(200, `{"error":{"message":"`+quoted(echo(r))+`","data":{"k":"`+quoted(echo(r))+`"}}}`), nil
		},
		"bare error": func(r *http.Request) (*http.Response, error) {
			return reply(200, `{"error":"`+quoted(echo(r))+`"}`), nil
		},
		"result": func(r *http.Request) (*http.Response, error) {
			return reply(200, `{"id":1,"result":{"k":"`+quoted(echo(r))+`"}}`), nil
		},
		"redirect": func(r *http.Request) (*http.Response, error) {
			resp := reply(302, echo(r))
			resp.Header.Set("Location", r.URL.String())
			return resp, nil
		},
		"cut": func(r *http.Request) (*http.Response, error) {
			resp := reply(200, "")
			resp.Body = io.NopCloser(failingReader{errors.New(echo(r))})
			return resp, nil
		},
	}
	for name, trip := range trips {
		c := jsonrpc.New(jsonrpc.Config{URL: url, Service: "bundler", HTTPClient: &http.Client{Transport: trip}, Logger: logger})
		require.Equal(t, "bundler "+shown, c.String())
		err := call(t.Context(), c, new(string), "eth_chainId")
		require.Error(t, err, name)
		logger.Error("failed", "error", err, "client", c)
		var texts []any
		for ; err != nil; err = errors.Unwrap(err) {
			texts = append(texts, err)
		}
		texts = append(texts, c, log.String())
		for _, v := range texts {
			asJSON, jsonErr := json.Marshal(v)
			require.NoError(t, jsonErr)
			for _, text := range []string{fmt.Sprint(v), fmt.Sprintf("%v|%+v|%#v|%s|%q", v, v, v, v, v), string(asJSON)} {
				require.NotContains(t, text, key, name)
				require.NotContains(t, text, plain, name)
			}
		}
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestErrorsStayMatchableThroughRedaction(t *testing.T) {
	c := jsonrpc.New(jsonrpc.Config{URL: "https://host.example/api/v2/1/k-123456", HTTPClient: &http.Client{
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%s: %w", r.URL, io.ErrUnexpectedEOF)
		}),
	}})
	err := call(t.Context(), c, new(string), "m")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "https://host.example/api/v2/1/[redacted]: unexpected EOF")
}

func TestPlainWordsStayReadable(t *testing.T) {
	c := jsonrpc.New(jsonrpc.Config{URL: "https://host.example/v1/bundler/80002/k-123456", Service: "bundler", HTTPClient: &http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return reply(400, "bundler of chain 80002 (v1) has no key k-123456"), nil
		}),
	}})
	require.EqualError(t, call(t.Context(), c, new(string), "m"),
		`bundler https://host.example/…: m: HTTP 400 Bad Request: "bundler of chain 80002 (v1) has no key [redacted]"`)
}
