package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/node"
)

// What a node's client says is told with the host, the cause and a way out, and without the URL.
func TestErrorsNameTheHost(t *testing.T) {
	const key = "api-key-4711"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"401": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no "+key, http.StatusUnauthorized) }, "401 Unauthorized; check the key in the node's URL"},
		"403": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "403 Forbidden; check the key in the node's URL"},
		"404": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "Cannot POST "+r.URL.Path, http.StatusNotFound)
		}, "404 Not Found; check the path of the node's URL"},
		"429":        {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, key, http.StatusTooManyRequests) }, "429 Too Many Requests; ask less often, or use a node that takes more"},
		"502":        {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, key, http.StatusBadGateway) }, "502 Bad Gateway; wait for the node to recover, or use another one"},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>"+key) }, "invalid character '<' looking for beginning of value; the answer is no JSON; check that the URL is a node's"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			client, err := ethclient.Dial(server.URL + "/v2/" + key)
			require.NoError(t, err)
			defer client.Close()
			for q := node.Ask(t.Context()); q.Next(&err); {
				_, err = client.ChainID(q.Context)
			}
			require.EqualError(t, err, "node "+strings.TrimPrefix(server.URL, "http://")+": "+c.want)
			require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), key)
			require.NotErrorAs(t, err, new(*url.Error), "which has the URL")
		})
	}
}

// What passes as an answer of the chain, or comes from something else than an HTTP client, is left as it is.
func TestErrorsThatAreLeft(t *testing.T) {
	for _, failed := range []error{coded{3, "execution reverted"}, coded{-32000, "header not found"}, coded{-32601, "the method eth_gasPrice does not exist"}, errors.New("no")} {
		var err error
		for q := node.Ask(t.Context()); q.Next(&err); {
			err = failed
		}
		require.Equal(t, failed, err)
	}
}

// Words of the chain that do not print are told without that, and match as before.
func TestErrorsAreOneLine(t *testing.T) {
	for _, failed := range []error{coded{3, "execution reverted: \x1b[2J\u202eevil\n"}, coded{-32000, "\u2028header\r"}, errors.New("no\x00")} {
		var err error
		for q := node.Ask(t.Context()); q.Next(&err); {
			err = failed
		}
		require.ErrorIs(t, err, failed)
		require.False(t, strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }), "%q", err)
	}
}

// A denial in passing costs a second try, one that stays no third.
func TestADenialIsAskedAboutTwice(t *testing.T) {
	for _, status := range []string{"401 Unauthorized", "403 Forbidden: who are you?", "404 Not Found"} {
		tries := 0
		var err error
		for q := node.Ask(t.Context()); q.Next(&err); {
			tries++
			err = errors.New(status)
		}
		require.Equal(t, 2, tries, status)
		require.ErrorContains(t, err, "node: "+status[:13])
		require.NotContains(t, err.Error(), "who are you?")
		require.False(t, node.Unavailable(err))
	}
}

// Its own words about a way out are not taken for those of a node that recovers.
func TestWhatAnErrorAdvisesIsNoCause(t *testing.T) {
	for err, want := range map[error]bool{
		&node.Error{Host: "retry-again.example:80", Err: coded{-32601, "the method eth_call does not exist"}}: false,
		&node.Error{Err: io.ErrUnexpectedEOF}:                                 true,
		&node.Error{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}: true,
		&node.Error{Err: context.Canceled}:                                    false,
	} {
		require.Equal(t, want, node.Unavailable(err), "%v", err)
	}
	require.EqualError(t, &node.Error{Host: "h:1", Err: errors.New("a\x1b[31m\nb")}, "node h:1: a [31m b")
}

// Whatever a send asks the node first, a bundler in its place is told as one.
func TestAnotherServiceThanANode(t *testing.T) {
	for _, method := range []string{"eth_call", "eth_chainId", "eth_getBlockByNumber"} {
		err := &node.Error{Host: "h:1", Err: coded{-32601, "the method " + method + " does not exist/is not available"}}
		require.ErrorContains(t, err, "give a node's URL where the chain is read")
	}
}

// What several nodes failed with names them itself, and says whether one may answer later.
func TestErrorsOfSeveralNodes(t *testing.T) {
	for _, passing := range []bool{true, false} {
		tries := 0
		failed := &node.SeveralError{Err: errors.New("none of 2 nodes will do: a: 503 Service Unavailable; b: EOF"), Passing: passing}
		var err error
		for q := node.Ask(t.Context()); q.Next(&err); {
			tries++
			err = failed
		}
		require.Equal(t, error(failed), err)
		require.Equal(t, passing, tries > 1)
		require.Equal(t, passing, node.Unavailable(fmt.Errorf("nonce: %w", err)))
	}
	require.EqualError(t, node.Cause(&url.Error{Op: "Post", URL: "https://h/key", Err: io.EOF}), "EOF")
	require.EqualError(t, node.Cause(errors.New("403 Forbidden: key\x1b[2J")), "403 Forbidden")
	require.EqualError(t, node.Cause(coded{3, "execution reverted: \x1b[2J"}), "execution reverted:  [2J")
}
