package account_test

import (
	"bytes"
	"context"
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
		require.ErrorContains(t, err, "the node gave no answer within ")
		require.LessOrEqual(t, time.Since(start), 20*time.Second)
		require.True(t, userop.SafeToRetry(err))
		require.Zero(t, w.accepted)
	})
}
