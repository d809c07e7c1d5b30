package jsonrpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// requestJSON is a request as it goes out. Some bundlers take numeric IDs only, and insist on params.
type requestJSON struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

// exchange is one HTTP request and its answer.
type exchange struct {
	client  *Client
	method  string
	request *http.Request
	trace   trace
}

// newRequest is a request under an ID of its own.
func newRequest(method string, params []any) requestJSON {
	if params == nil {
		params = []any{}
	}
	return requestJSON{Version: "2.0", ID: newID(), Method: method, Params: params}
}

// newExchange encodes a request, or a batch of them.
func (c *Client) newExchange(ctx context.Context, method string, request any) (*exchange, error) {
	if c.invalid != nil {
		return nil, c.unsent(method, c.invalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, c.broken(ctx, method, err, false)
	}
	x := &exchange{client: c, method: method}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, c.unsent(method, fmt.Errorf("encode the parameters: %w", err))
	}
	x.request, err = http.NewRequestWithContext(x.trace.watch(ctx), http.MethodPost, c.endpoint.url, bytes.NewReader(body))
	if err != nil {
		return nil, c.unsent(method, errUnparsable)
	}
	x.request.Header.Set("Content-Type", "application/json") // exactly: Alto refuses a charset
	x.request.Header.Set("Accept", "application/json")
	return x, nil
}

// result reads the result out of what [http.Client.Do] returned for a single request.
func (x *exchange) result(resp *http.Response, err error) (json.RawMessage, error) {
	body, err := x.body(resp, err)
	if err != nil {
		return nil, err
	}
	return x.client.decode(x.method, resp, body)
}

// body reads what [http.Client.Do] returned.
func (x *exchange) body(resp *http.Response, err error) ([]byte, error) {
	c, ctx := x.client, x.request.Context()
	if err != nil {
		return nil, c.broken(ctx, x.method, err, x.trace.mayBeDelivered(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxResponse+1))
	if err != nil {
		failed := c.broken(ctx, x.method, fmt.Errorf("reading the answer: %w", err), true)
		failed.HTTPStatus = resp.StatusCode
		return nil, failed
	}
	return body, nil
}

// newID returns a random number that survives a float64, as JavaScript services keep it in one.
func newID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	return binary.BigEndian.Uint64(b[:]) >> 11
}

// trace watches whether a request can have reached the service.
type trace struct {
	traced atomic.Bool // net/http reports what it does
	wrote  atomic.Bool // and has written the request's head
}

// watch returns a context that reports to t.
func (t *trace) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { t.traced.Store(true) },
		WroteHeaders: func() { t.wrote.Store(true) },
	})
}

// mayBeDelivered reports whether the service may have seen the request although the round trip failed with
// err. In doubt it may: a caller's own http.RoundTripper need not report anything.
func (t *trace) mayBeDelivered(err error) bool {
	if t.traced.Load() {
		return t.wrote.Load()
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}
