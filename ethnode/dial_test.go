package ethnode_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
)

const key = "api-key-4711"

// A redirect is not followed: where it leads learns neither the URL nor that it was asked.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var led atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		led.Add(1)
		t.Errorf("asked with the Referer %q", r.Referer())
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/"+key, status))
		node, err := ethnode.Dial(server.URL + "/v2/" + key)
		require.NoError(t, err)
		_, err = node.ChainID(t.Context())
		require.ErrorContains(t, err, fmt.Sprintf("HTTP %d: redirects are not followed; use the node's final URL (it is at %s)", status, elsewhere.URL))
		require.NotContains(t, err.Error(), key)
		node.Close()
		server.Close()
	}
	require.Zero(t, led.Load())
}

// Of a URL the service is told all, and an error the host alone.
func TestTheKeyIsForTheNodeAlone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		if r.URL.String() != "/v2/a%2Fb?apikey="+key || user != "me" || password != key || !strings.Contains(string(body), "eth_chainId") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"0x13882"}`)
	}))
	url := strings.Replace(server.URL, "://", "://me:"+key+"@", 1) + "/v2/a%2Fb?apikey=" + key
	node, err := ethnode.Dial(url)
	require.NoError(t, err)
	defer node.Close()
	id, err := node.ChainID(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 80002, id.Int64())

	server.Close()
	_, err = node.ChainID(t.Context())
	require.ErrorContains(t, err, strings.TrimPrefix(server.URL, "http://"))
	for _, thing := range []any{err, node, node.Client(), struct{ Node any }{node}} {
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", thing, thing, thing, thing), key)
	}
}

func TestWhatIsNoURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                             "no node URL is set; see where it is to come from",
		"wss://node.example/" + key:    "has to start with http:// or https://; ethclient.Dial connects to others",
		"node.example/" + key:          "has to start with http:// or https://",
		"https:///" + key:              "names no host",
		"https://node.example/%" + key: "cannot be read; want https://host/path",
		"http://[" + key:               "cannot be read; want https://host/path",
	} {
		_, err := ethnode.Dial(url)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), key)
	}
}

// A try that the node does not answer ends, and one with too long an answer, too.
func TestAnswersAreBounded(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "eth_chainId") {
			<-done
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"`)
		block := strings.Repeat("0", 1<<20)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	defer close(done)
	node, err := ethnode.Dial(server.URL + "/" + key)
	require.NoError(t, err)
	defer node.Close()
	_, err = node.ChainID(t.Context())
	require.ErrorContains(t, err, "the answer is longer than 32 MiB")

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = node.BlockNumber(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A client of the library is made with it.
func ExampleDial() {
	node, err := ethnode.Dial("https://polygon-amoy.example/v2/api-key")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()
	client, err := account.NewClient(account.Config{
		ChainID: 80002,
		Chain:   node,
		Bundler: bundler.New("https://bundler.example/api-key"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("chain", client.ChainID())
	// Output: chain 80002
}
