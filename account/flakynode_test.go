package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// flaky stands before a node and answers the first request of each method, and of each call's data, wrong.
type flaky struct {
	mu    sync.Mutex
	seen  map[string]bool
	first func(*http.Request) (*http.Response, error)
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, key, _ := strings.Cut(string(body), `"method"`)
	f.mu.Lock()
	again := f.seen[key]
	f.seen[key] = true
	f.mu.Unlock()
	if !again {
		return f.first(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func respond(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// What a node fails with in passing fails neither a send nor a wait.
func TestANodeThatFailsInPassing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	for name, first := range map[string]func(*http.Request) (*http.Response, error){
		"busy":        respond(503, "busy"),
		"a web page":  respond(200, "<html>"),
		"cut":         respond(200, `{"jsonrpc":"2.0","id":1,"res`),
		"unreachable": func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
	} {
		t.Run(name, func(t *testing.T) {
			url, err := w.chain.RPCURL()
			require.NoError(t, err)
			dialed, err := rpc.DialOptions(t.Context(), url, rpc.WithHTTPClient(&http.Client{Transport: &flaky{seen: map[string]bool{}, first: first}}))
			require.NoError(t, err)
			defer dialed.Close()
			w.config.Chain = ethclient.NewClient(dialed)
			tx, err := w.clientWith(t, account.Contracts{}).OwnedAccount(account.KeyOwner(w.ownerKey)).
				Send(t.Context(), []account.Call{{To: stranger}})
			require.NoError(t, err)
			receipt, err := tx.Wait(t.Context())
			require.NoError(t, err)
			require.True(t, receipt.Confirmed)
		})
	}
}

// silent is a node that takes requests and never answers.
type silent struct{ *laneWorld }

func (silent) ChainID(ctx context.Context) (*big.Int, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) CallContract(ctx context.Context, _ ethereum.CallMsg, _ *big.Int) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A send whose caller set no deadline does not hang on a node that never answers.
func TestANodeThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLaneWorld()
		start := time.Now()
		_, err := clientWith(t, silent{w}, w).Account(laneUser).
			Send(t.Context(), []account.Call{{To: stranger}}, noServices(account.WithSigner(constSigner{}))...)
		require.ErrorContains(t, err, "node: no answer within ")
		require.LessOrEqual(t, time.Since(start), 20*time.Second)
		require.True(t, userop.SafeToRetry(err))
		require.Zero(t, w.accepted)
	})
}

// odd stands before a bundler: of each method it gives the first answers in its own way, after the bundler
// has done what was asked, if delivers.
type odd struct {
	mu       sync.Mutex
	left     map[string]int
	answer   func(*http.Request) (*http.Response, error)
	delivers bool
}

func (o *odd) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var request struct{ Method string }
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	o.mu.Lock()
	oddly := o.left[request.Method] > 0
	o.left[request.Method]--
	o.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !oddly {
		return http.DefaultTransport.RoundTrip(r)
	}
	if o.delivers {
		answered, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_ = answered.Body.Close()
	}
	return o.answer(r)
}

// Some odd answers end neither a send nor a wait, also without a node to ask.
func TestABundlerThatAnswersOddlyInPassing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 1)
	failure := func(code int, message string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":{"code":%d,"message":%q}}`, code, message)
	}
	refused := map[string]func(*http.Request) (*http.Response, error){ // only in answer to a question
		"401": respond(401, "who are you?"), "403": respond(403, `{"message":"forbidden"}`), "404": respond(404, "<html>not here"),
		"no method": respond(200, failure(-32601, "the method does not exist")), "invalid": respond(200, failure(-32602, "invalid params")),
		"moved": respond(302, ""),
	}
	odds := map[string]func(*http.Request) (*http.Response, error){
		"a web page": respond(200, "<html>"), "cut": respond(200, `{"jsonrpc":"2.0","id":1,"res`), "null": respond(200, `{"jsonrpc":"2.0","id":1,"result":null}`),
		"header not found": respond(200, failure(-32000, "header not found")), "internal": respond(200, failure(-32603, "internal error")),
		"empty": respond(200, ""), "neither": respond(200, `{}`), "502": respond(502, "bad gateway"), "a string": respond(200, `{"result":"0x1"}`),
		"a wrong hash": respond(200, `{"result":"0x`+strings.Repeat("ab", 32)+`"}`), "a batch": respond(200, `[{"result":null}]`),
		"lost": func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
	}
	wait := func(t *testing.T, answer func(*http.Request) (*http.Response, error), method string, times int, delivers bool) {
		proxy := &odd{left: map[string]int{method: times}, answer: answer, delivers: delivers}
		w.config.Bundler = bundler.New(w.bundler.URL(), bundler.WithHTTPClient(&http.Client{Transport: proxy}))
		client := w.clientWith(t, account.Contracts{})
		tx, err := client.OwnedAccount(account.KeyOwner(w.ownerKey)).Send(t.Context(), []account.Call{{To: stranger}})
		require.NoError(t, err)
		bare, err := userop.NewSender(userop.SenderConfig{ChainID: w.config.ChainID, EntryPoint: client.Contracts().EntryPoint, Bundler: w.config.Bundler})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = bare.WatchOperation(tx.Operation()).Wait(ctx)
		require.NoError(t, err)
	}
	for name, answer := range odds {
		t.Run("sending: "+name, func(t *testing.T) { wait(t, answer, "eth_sendUserOperation", 1, len(name)%2 == 0) })
	}
	for _, name := range []string{"a web page", "cut", "null", "header not found"} {
		refused[name] = odds[name]
	}
	for name, answer := range refused {
		t.Run("waiting: "+name, func(t *testing.T) { wait(t, answer, "eth_getUserOperationReceipt", 2, false) })
	}
}
