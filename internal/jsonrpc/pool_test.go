package jsonrpc_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// Many waits poll one host, again and again: their connections are kept.
func TestConnectionsAreReused(t *testing.T) {
	const waits, polls = 40, 25
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ ID uint64 }
		_ = json.NewDecoder(r.Body).Decode(&request)
		fmt.Fprintf(w, `{"id":%d,"result":"0x1"}`, request.ID)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := newClient(t, jsonrpc.Config{URL: server.URL})

	for range polls {
		var wave sync.WaitGroup
		for range waits {
			wave.Go(func() {
				if err := call(t.Context(), c, new(string), "eth_getUserOperationReceipt"); err != nil {
					t.Error(err)
				}
			})
		}
		wave.Wait()
	}
	require.Less(t, opened.Load(), int32(waits*polls/5), "of %d requests", waits*polls)
}
