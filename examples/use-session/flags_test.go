package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

const someone = "0x000000000000000000000000000000000000dEaD"

func TestFlagsThatAreWrong(t *testing.T) {
	outside := func(more ...string) []string {
		return append([]string{"-rpc", "http://127.0.0.1:1", "-bundler", "http://127.0.0.1:1", "-store", ".", "-account", someone, "-to", someone}, more...)
	}
	tests := map[string]struct {
		args []string
		text string
	}{
		"nothing that matters":   {[]string{"-leaf", "0"}, "missing -account, -bundler, -rpc, -store, -to; -h explains the flags"},
		"a flag that is not one": {outside("-quick"), "flag provided but not defined: -quick; -h explains the flags"},
		"no number":              {outside("-leaf", "x"), `invalid value "x" for flag -leaf: parse error; -h explains the flags`},
		"a model of services":    {[]string{"-model", "-rpc", "http://127.0.0.1:1"}, "-model runs the story without services; leave the other flags out"},
		"a model and a store":    {outside("-model"), "-model runs the story without services; leave the other flags out"},
		"arguments of nothing":   {outside("-args", "1"), "-args without -call"},
	}
	for name, tt := range tests {
		var stderr bytes.Buffer
		require.EqualError(t, run(t.Context(), tt.args, io.Discard, &stderr), tt.text, name)
		require.Empty(t, stderr.String(), name)
	}
}

func TestNodeErrorsHideItsURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Cannot POST "+r.URL.Path, http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	for rpc, text := range map[string]string{
		server.URL + "/v3/secret":        "chain ID of the node: 404 Not Found",
		"http://127.0.0.1:1/v3/secret":   "chain ID of the node: dial tcp 127.0.0.1:1: connect: connection refused",
		"http://127.0.0.1:1 1/v3/secret": `-rpc: invalid port ":1 1" after host`,
		"htp://127.0.0.1:1/v3/secret":    `-rpc: no known transport for URL scheme "htp"`,
	} {
		err := run(t.Context(), []string{
			"-rpc", rpc, "-bundler", "http://127.0.0.1:1", "-store", t.TempDir(), "-account", someone, "-to", someone,
		}, io.Discard, io.Discard)
		require.EqualError(t, err, text)
	}
}
