package jsonrpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// script answers one try after the other: with an error, or a status and body.
type script struct {
	steps []any
	tries int
}

type scripted struct {
	status int
	header http.Header
	body   string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var request struct{ ID uint64 }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	step := s.steps[min(s.tries, len(s.steps)-1)]
	s.tries++
	switch step := step.(type) {
	case error:
		return nil, step
	case scripted:
		resp := reply(step.status, step.body)
		resp.Header = step.header
		return resp, nil
	case string:
		return reply(200, fmt.Sprintf(`{"id":%d,%s}`, request.ID, step)), nil
	}
	<-r.Context().Done() // an answer that never comes
	return nil, context.Cause(r.Context())
}

const fine = `"result":"0x1"`

func scriptedClient(steps ...any) (*jsonrpc.Client, *script) {
	s := &script{steps: steps}
	return jsonrpc.New(jsonrpc.Config{URL: "https://host.example", Service: "bundler", HTTPClient: &http.Client{Transport: s}}), s
}

func TestARepeatableRequestIsTriedAgain(t *testing.T) {
	busy := scripted{status: 503, body: "busy"}
	limited := `"error":{"code":-32005,"message":"slow down"}`
	for _, c := range []struct {
		name          string
		steps         []any
		tries         int
		want          string // the error, or none
		least, atMost time.Duration
	}{
		{"at once", []any{fine}, 1, "", 0, 0},
		{"after a refused connection", []any{syscall.ECONNREFUSED, fine}, 2, "", 100 * time.Millisecond, 200 * time.Millisecond},
		{"after two 503", []any{busy, busy, fine}, 3, "", 300 * time.Millisecond, 600 * time.Millisecond},
		{"after a rate limit", []any{limited, fine}, 2, "", 100 * time.Millisecond, 200 * time.Millisecond},
		{"up to three times", []any{busy}, 3, `bundler https://host.example: m: HTTP 503 Service Unavailable: "busy"; the service is at fault: try again in a while, or use another one`, 300 * time.Millisecond, 600 * time.Millisecond},
		{"not after a refusal", []any{`"error":{"code":-32500,"message":"AA25"}`}, 1, "bundler: m: AA25 (code -32500)", 0, 0},
		{"not after an answer of null", []any{`"result":null`}, 1, "bundler https://host.example: m: the answer is null", 0, 0},
		{"after a web page", []any{scripted{status: 200, body: "<html>"}, fine}, 2, "", 100 * time.Millisecond, 200 * time.Millisecond},
		{"after an answer that was cut", []any{scripted{status: 200, body: `{"id":1,"res`}, fine}, 2, "", 100 * time.Millisecond, 200 * time.Millisecond},
		{"not after a result of another type", []any{`"result":{}`}, 1, `bundler https://host.example: m: unexpected result: json: cannot unmarshal object into Go value of type string: "{}"`, 0, 0},
		{"after a node that lags", []any{`"error":{"code":-32000,"message":"header not found"}`, fine}, 2, "", 100 * time.Millisecond, 200 * time.Millisecond},
		{"not after a verdict that sounds like one", []any{`"error":{"code":-32500,"message":"AA23 reverted: header not found"}`}, 1, "bundler: m: AA23 reverted: header not found (code -32500)", 0, 0},
		{"saying what failed first", []any{limited, busy, `"error":{"code":-32602,"message":"no"}`}, 3, "bundler: m: no (code -32602) (tried again after: bundler: m: slow down (code -32005))", 300 * time.Millisecond, 600 * time.Millisecond},
		{"as late as it is asked to", []any{scripted{status: 429, header: http.Header{"Retry-After": {"3"}}}, fine}, 2, "", 3 * time.Second, 3 * time.Second},
		{"not where it is asked to stay away too long", []any{scripted{status: 429, header: http.Header{"Retry-After": {"60"}}}}, 1, "bundler https://host.example: m: HTTP 429 Too Many Requests; ask less often", 0, 0},
		{"after a try that hangs", []any{nil, fine}, 2, "", 15100 * time.Millisecond, 15200 * time.Millisecond},
		{"not after the default timeout", []any{nil}, 3, "bundler https://host.example: m: no answer within 30s: context deadline exceeded" +
			" (tried again after: bundler https://host.example: m: no answer within 15s: context deadline exceeded)", 30 * time.Second, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, script := scriptedClient(c.steps...)
				start := time.Now()
				var result string
				err := read(t.Context(), client, &result, "m")
				if c.want == "" {
					require.NoError(t, err)
					require.Equal(t, "0x1", result)
				} else {
					require.EqualError(t, err, c.want)
				}
				require.Equal(t, c.tries, script.tries)
				require.GreaterOrEqual(t, time.Since(start), c.least)
				require.LessOrEqual(t, time.Since(start), c.atMost)
			})
		})
	}
}

// However short a caller's time is, a try that hangs leaves some of it for the next.
func TestATryThatHangsLeavesTimeForTheNext(t *testing.T) {
	for _, c := range []struct {
		hang          int
		within, lasts time.Duration
	}{
		{1, 10 * time.Second, 5 * time.Second},
		{2, 10 * time.Second, 8 * time.Second}, // the second has three seconds at least
		{1, 4 * time.Second, 3 * time.Second},
		{1, time.Minute, 15 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, script := scriptedClient(append(make([]any, c.hang), fine)...)
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			start := time.Now()
			require.NoError(t, read(ctx, client, new(string), "m"))
			require.Equal(t, c.hang+1, script.tries)
			require.InDelta(t, c.lasts.Seconds(), time.Since(start).Seconds(), 0.7, "with the pauses")
		})
	}
}

func TestRetryAfterDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat)
		client, _ := scriptedClient(scripted{status: 503, header: http.Header{"Retry-After": {at}}}, fine)
		start := time.Now()
		require.NoError(t, read(t.Context(), client, new(string), "m"))
		require.InDelta(t, 5, time.Since(start).Seconds(), 1)
	})
}

func TestAnyOtherRequestIsSentOnce(t *testing.T) {
	for _, step := range []any{syscall.ECONNRESET, scripted{status: 503}, `"error":{"code":-32005,"message":"slow down"}`} {
		client, script := scriptedClient(step)
		require.Error(t, call(t.Context(), client, new(string), "eth_sendUserOperation"))
		require.Equal(t, 1, script.tries)
	}
}

// Fault 15 of the TypeScript SDK: no timeout, no cancellation, no retry.
func TestFault15EveryCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := scriptedClient(nil)
		start := time.Now()
		err := call(t.Context(), client, new(string), "m")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 30*time.Second, time.Since(start), "without a deadline of the caller's")
		var got *jsonrpc.TransportError
		require.ErrorAs(t, err, &got)
		require.True(t, got.Temporary())
		require.True(t, got.MayBeDelivered())

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		err = call(ctx, client, new(string), "m")
		require.EqualError(t, err, "bundler https://host.example: m: no answer within 30s: context deadline exceeded")
		require.Equal(t, 30*time.Second, time.Since(start), "a try has a deadline of its own")
		require.NoError(t, ctx.Err())
		err = read(ctx, client, new(string), "m")
		require.ErrorContains(t, err, "bundler https://host.example: m: context deadline exceeded (tried again after: ")
		require.Equal(t, time.Minute, time.Since(start), "with one")

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		require.ErrorIs(t, read(ctx, client, new(string), "m"), context.Canceled)
		require.Equal(t, time.Second, time.Since(start), "when it is canceled")
	})
}

func TestCancelEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, script := scriptedClient(scripted{status: 503, header: http.Header{"Retry-After": {"10"}}}, fine)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		require.ErrorContains(t, read(ctx, client, new(string), "m"), "HTTP 503")
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, 1, script.tries)
	})
}

// Where another service is asked instead, a request is sent once, and has all the time that there is.
func TestOnce(t *testing.T) {
	tries := 0
	var left time.Duration
	client := jsonrpc.New(jsonrpc.Config{URL: "https://bundler.example/k-123456", HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		tries++
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
		return reply(http.StatusServiceUnavailable, ""), nil
	})}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.Error(t, read(jsonrpc.Once(ctx), client, new(any), "eth_chainId"))
	require.Equal(t, 1, tries)
	require.Greater(t, left, 15*time.Second)
	require.Equal(t, "bundler.example", client.Host())
	require.Empty(t, jsonrpc.New(jsonrpc.Config{URL: "nowhere"}).Host())
}
