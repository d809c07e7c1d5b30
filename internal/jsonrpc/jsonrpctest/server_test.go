package jsonrpctest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// post sends one JSON-RPC request and returns status and body.
func post(t *testing.T, url, body string) (int, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewBufferString(body))
	require.NoError(t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return response.StatusCode, string(read), err
}

const ask = `{"jsonrpc":"2.0","id":7,"method":"ask","params":["what",1]}`

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer Answer
		status int
		body   string
		err    string
	}{
		{"result", Result("0x1"), 200, `{"id":7,"jsonrpc":"2.0","result":"0x1"}`, ""},
		{"null", Result(nil), 200, `{"id":7,"jsonrpc":"2.0","result":null}`, ""},
		{"error", Fail(-32500, "AA25"), 200, `{"error":{"code":-32500,"message":"AA25"},"id":7,"jsonrpc":"2.0"}`, ""},
		{"error with data", FailWith(-32521, "reverted", "0x08c379a0"), 200, `{"error":{"code":-32521,"data":"0x08c379a0","message":"reverted"},"id":7,"jsonrpc":"2.0"}`, ""},
		{"computed", Compute(func(_ context.Context, r Request) (any, error) { return r.Params[0], nil }), 200, `{"id":7,"jsonrpc":"2.0","result":"what"}`, ""},
		{"computed error", Compute(func(context.Context, Request) (any, error) { return nil, errors.New("no") }), 200, `{"error":{"code":-32000,"message":"no"},"id":7,"jsonrpc":"2.0"}`, ""},
		{"no JSON", Result(func() {}), 200, `{"error":{"code":-32000,"message":"json: unsupported type: func()"},"id":7,"jsonrpc":"2.0"}`, ""},
		{"status", Status(503, "try later"), 503, "try later", ""},
		{"body", Body("[]"), 200, "[]", ""},
		{"wrong ID", WrongID(true), 200, `{"id":987654321,"jsonrpc":"2.0","result":true}`, ""},
		{"truncated", Truncated("0123456789"), 200, `{"id":7,"jsonrpc":"2.0"`, "unexpected EOF"},
		{"dropped", Drop(), 0, "", "EOF"},
		{"lost", Lost(Result("0x1")), 0, "", "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewServer(t, Config{})
			m.On("ask", c.answer)
			status, body, err := post(t, m.URL(), ask)
			require.Equal(t, c.status, status)
			require.Equal(t, c.body, body)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, 1, m.Count("ask"), "the server got the request")
		})
	}
}

func TestGarbageIsNotJSON(t *testing.T) {
	m := NewServer(t, Config{})
	m.Otherwise(Garbage())
	_, body, err := post(t, m.URL(), ask)
	require.NoError(t, err)
	require.False(t, json.Valid([]byte(body)))
}

func TestScriptGoesOnWithItsLastAnswer(t *testing.T) {
	m := NewServer(t, Config{})
	m.On("ask", Status(503, "later"), Result(1), Result(2))
	for _, want := range []string{"later", `{"id":7,"jsonrpc":"2.0","result":1}`, `{"id":7,"jsonrpc":"2.0","result":2}`, `{"id":7,"jsonrpc":"2.0","result":2}`} {
		_, body, err := post(t, m.URL(), ask)
		require.NoError(t, err)
		require.Equal(t, want, body)
	}
	m.On("ask")
	_, body, err := post(t, m.URL(), ask)
	require.NoError(t, err)
	require.Contains(t, body, "-32601")

	require.Equal(t, 5, m.Count(""))
	require.Zero(t, m.Count("tell"))
	request := m.Requests("ask")[0]
	require.Equal(t, ask, string(request.Body))
	require.Equal(t, `"what"`, string(request.Params[0]))
	require.Equal(t, "7", string(request.ID))
	require.NotZero(t, request.Time)
}

func TestServerTakesSingleRequestsOnly(t *testing.T) {
	m := NewServer(t, Config{})
	for _, body := range []string{"", "{", "[]"} {
		status, _, err := post(t, m.URL(), body)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, status)
	}
	require.Zero(t, m.Count(""))
}

func TestHeaderAndDelay(t *testing.T) {
	m := NewServer(t, Config{Delay: 20 * time.Millisecond})
	m.On("ask", Status(429, "slow down").WithHeader("Retry-After", "3").After(20*time.Millisecond))
	start := time.Now()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.URL(), bytes.NewBufferString(ask))
	require.NoError(t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "3", response.Header.Get("Retry-After"))
	require.GreaterOrEqual(t, time.Since(start), 40*time.Millisecond)
}

func TestCloseCutsDelays(t *testing.T) {
	m, err := StartServer(Config{Delay: time.Hour})
	require.NoError(t, err)
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		_, _, _ = post(t, m.URL(), ask)
	}()
	require.Eventually(t, func() bool { return m.Count("") == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	<-failed
}

func TestRoundTrips(t *testing.T) {
	var trips RoundTrips
	require.Zero(t, trips.Depth())
	servers := []*Server{
		NewServer(t, Config{Delay: 300 * time.Millisecond}),
		NewServer(t, Config{Delay: 300 * time.Millisecond}),
	}
	for _, m := range servers {
		m.CountIn(&trips)
	}
	for range 2 { // two stages, of requests to both servers at the same time
		var group sync.WaitGroup
		for _, m := range append(servers, servers...) {
			group.Go(func() {
				if _, _, err := post(t, m.URL(), ask); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	_, _, err := post(t, servers[0].URL(), ask)
	require.NoError(t, err)
	require.Equal(t, 3, trips.Depth())
	require.Equal(t, 9, trips.Count())
	trips.Reset()
	require.Zero(t, trips.Count())
}

func TestRoundTripDepth(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	for _, c := range []struct {
		name  string
		spans [][2]int
		want  int
	}{
		{"none", nil, 0},
		{"one", [][2]int{{0, 5}}, 1},
		{"one after another", [][2]int{{0, 5}, {5, 10}, {11, 12}}, 3},
		{"at the same time", [][2]int{{0, 5}, {1, 6}, {4, 9}}, 1},
		{"a long one beside two short ones", [][2]int{{0, 100}, {0, 40}, {50, 90}}, 2},
		{"in any order", [][2]int{{50, 90}, {0, 100}, {0, 40}, {95, 99}}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			var trips RoundTrips
			for _, s := range c.spans {
				trips.add(at(s[0]), at(s[1]))
			}
			require.Equal(t, c.want, trips.Depth())
		})
	}
}
